import type { Attack, AttackedModel } from "./attack.js";
import { range } from "./range.js";
import type { Outgoing, Reply, Sender } from "./sender.js";

interface Use {
  readonly count: number;
  /** Default: all of them. */
  readonly atOnce?: number;
  readonly request: Omit<Outgoing, "path">;
  /** While the stream is generated, which then goes on without a reader; otherwise after its end. */
  readonly isEarly?: boolean;
}

/** Makes a resumable stream, sends requests about it, and ends it. */
async function useStream(sender: Sender, body: object, use: Use): Promise<readonly Reply[]> {
  const { count, atOnce = count, request, isEarly = false } = use;
  const fields = { ...body, ignore_eos: true, stream: true, stream_options: { resumable: true } };
  const made = { path: "/v1/completions", body: fields, headersOnly: isEarly };
  const { reply, location } = await sender.ask(made);
  if (location === null) return [reply];
  const replies = await sender.repeat(count, () => ({ ...request, path: location }), { atOnce });
  return [reply, ...replies, await sender.send({ method: "DELETE", path: location })];
}

/** The events of 16 choices with 20 alternatives: 16 KB for each token. */
const WIDE = { prompt: "The", n: 16, logprobs: 20, temperature: 1, max_tokens: 100 };

/** As many choices as a request may have. */
const most = ({ vocabSize }: AttackedModel, maxTokens: number) => ({
  prompt: range(2048, (i) => [(300 + (i % 600)) % vocabSize]),
  max_tokens: maxTokens,
});

/** 48 choices whose record has nearly a megabyte. Before all of their prompts are computed, a minute may pass. */
function longest({ vocabSize, contextLength }: AttackedModel) {
  const length = Math.min(3900, contextLength - 2);
  const prompt = range(3, (k) => range(length, (i) => (300 + ((i * 7 + k) % 600)) % vocabSize));
  return { prompt, n: 16, max_tokens: 2 };
}

/** A stream that is sent again, or ended, many times at once. */
export const STREAM_ATTACKS: readonly Attack[] = [
  {
    name: "deletes-100",
    description: "100 DELETEs at once of a stream of 2,048 choices",
    send: (sender, model) => useStream(sender, most(model, 1), { count: 100, request: { method: "DELETE" } }),
  },
  {
    name: "deletes-early-100",
    description: "the same while they are generated",
    send: (sender, model) =>
      useStream(sender, most(model, 100), { count: 100, request: { method: "DELETE" }, isEarly: true }),
  },
  {
    name: "choices-left",
    description: "four requests for 2,048 choices, one after another, whose clients leave after 1.5 s",
    send: (sender, model) => {
      const body = { ...most(model, 100), ignore_eos: true };
      return sender.repeat(4, () => ({ path: "/v1/completions", body, leaveAfterMs: 1500 }), { atOnce: 1 });
    },
  },
  {
    name: "clients-left",
    description: "500 streams of two choices whose clients connect at once, and leave after 3 s",
    send: (sender) => {
      const body = { prompt: "The", n: 2, max_tokens: 1000, ignore_eos: true, stream: true };
      return sender.repeat(500, () => ({ path: "/v1/completions", body, leaveAfterMs: 3000 }));
    },
  },
  {
    name: "resumed-400",
    description: "400 readers at once of one stream of 16 choices with 20 log-probabilities",
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
    send: (sender, model) => {
      const request = { headers: { "last-event-id": "1:0:0" } };
      return useStream(sender, longest(model), { count: 300, request, isEarly: true });
    },
  },
  {
    name: "records-300",
    description: "300 readers of the same, four at a time, behind events that it does not have",
    send: (sender, model) => {
      const request = { headers: { "last-event-id": `999999${".0".repeat(47)}:0:0` } };
      return useStream(sender, longest(model), { count: 300, atOnce: 4, request, isEarly: true });
    },
  },
];
