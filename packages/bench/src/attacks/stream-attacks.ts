import type { Attack } from "./attack.js";
import { range } from "./range.js";
import type { Outgoing, Reply, Sender } from "./sender.js";

interface Use {
  readonly count: number;
  readonly request: Omit<Outgoing, "path">;
}

/** Generates a resumable stream to its end, then sends `count` requests about it at once. */
async function useStream(sender: Sender, body: object, { count, request }: Use): Promise<readonly Reply[]> {
  const fields = { ...body, ignore_eos: true, stream: true, stream_options: { resumable: true } };
  const { reply, location } = await sender.ask({ path: "/v1/completions", body: fields });
  if (location === null) return [reply];
  return [reply, ...(await sender.repeat(count, () => ({ ...request, path: location }), { atOnce: count }))];
}

/** The events of 16 choices with 20 alternatives: 16 KB for each token. */
const WIDE = { prompt: "The", n: 16, logprobs: 20, temperature: 1, max_tokens: 100 };

/** A stream that is sent again, or ended, many times at once. */
export const STREAM_ATTACKS: readonly Attack[] = [
  {
    name: "deletes-100",
    description: "100 DELETEs at once of a stream of 2,048 choices",
    send: (sender, { vocabSize }) => {
      const prompt = range(2048, (i) => [(300 + (i % 600)) % vocabSize]);
      return useStream(sender, { prompt, max_tokens: 1 }, { count: 100, request: { method: "DELETE" } });
    },
  },
  {
    name: "resumed-400",
    description: "400 readers at once of one stream of 16 choices with 20 log-probabilities",
    isQuick: true,
    send: (sender) => useStream(sender, WIDE, { count: 400, request: {} }),
  },
  {
    name: "resumed-beyond-60",
    description: "60 readers at once of the same, behind the millionth event of one choice",
    isQuick: true,
    send: (sender) => {
      const headers = { "last-event-id": `999999${".0".repeat(15)}:0:0` };
      return useStream(sender, WIDE, { count: 60, request: { headers } });
    },
  },
  {
    name: "resumed-record-300",
    description: "300 readers at once of a stream whose prompts take a megabyte, behind ids of another stream",
    send: (sender, { vocabSize, contextLength }) => {
      const length = Math.min(3900, contextLength - 2);
      const prompt = range(3, (k) => range(length, (i) => (300 + ((i * 7 + k) % 600)) % vocabSize));
      const request = { headers: { "last-event-id": "1:0:0" } };
      return useStream(sender, { prompt, n: 16, max_tokens: 2 }, { count: 300, request });
    },
  },
];
