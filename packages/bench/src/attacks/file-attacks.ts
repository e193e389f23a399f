import { Readable } from "node:stream";
import type { Attack } from "./attack.js";
import { range } from "./range.js";
import type { Asked, Outgoing, Reply, Sender } from "./sender.js";

const COMPLETIONS = "/v1/completions";
const BOUNDARY = "held-up";
const MB = 1e6;

const part = (name: string, value: string): string =>
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

const FILE_HEAD = `${part("purpose", "batch")}--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n`;

const form = (body: Outgoing["body"]): Outgoing => ({
  path: "/v1/files",
  headers: { "content-type": `multipart/form-data; boundary=${BOUNDARY}` },
  ...(body !== undefined && { body }),
});

/** Uploads a file in pieces, so that the sender holds one of them. */
const upload = (pieces: Iterable<string>): Outgoing =>
  form(
    Readable.from(
      (function* () {
        yield FILE_HEAD;
        yield* pieces;
        yield `\r\n--${BOUNDARY}--\r\n`;
      })(),
      { objectMode: false },
    ),
  );

const line = (id: number, fields: object): string =>
  `${JSON.stringify({ custom_id: `${id}`, method: "POST", url: COMPLETIONS, body: fields })}\n`;

/** Uploads an input, starts a batch and follows it to its end. */
async function runBatch(sender: Sender, pieces: Iterable<string>): Promise<readonly Reply[]> {
  const uploaded = await sender.ask(upload(pieces));
  const file = (uploaded.answer as { id?: string } | undefined)?.id;
  if (uploaded.reply.status !== 200 || file === undefined) return [uploaded.reply];
  const order = { input_file_id: file, endpoint: COMPLETIONS, completion_window: "1h" };
  const made = await sender.ask({ path: "/v1/batches", body: order });
  const { id } = (made.answer ?? {}) as { id?: string };
  const replies = [uploaded.reply, made.reply];
  if (id === undefined) return replies;
  const { reply, answer } = await whenOver(sender, `/v1/batches/${id}`);
  const { status = "gone", errors } = (answer ?? {}) as BatchAnswer;
  return [...replies, { ...reply, code: errors?.data?.[0]?.code ?? `batch ${status}` }];
}

/** OpenAI's words for a batch that goes on, and Mistral's. */
const GOING_ON = ["validating", "in_progress", "finalizing", "QUEUED", "RUNNING"];

/** Asks for a batch or job until it is over. */
async function whenOver(sender: Sender, path: string): Promise<Asked> {
  for (;;) {
    const asked = await sender.ask({ path });
    const { status = "gone" } = (asked.answer ?? {}) as BatchAnswer;
    if (!GOING_ON.includes(status) || sender.signal.aborted) return asked;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

interface BatchAnswer {
  readonly status?: string;
  readonly errors?: { readonly data?: readonly { readonly code?: string }[] } | null;
}

function* pieces(count: number, make: (index: number) => string): Generator<string> {
  for (let i = 0; i < count; i++) yield make(i);
}

/** Files and batches. */
export const FILE_ATTACKS: readonly Attack[] = [
  {
    name: "batch-bad-lines",
    description: "batch of 50,000 lines that are not JSON",
    isQuick: true,
    send: (sender) =>
      runBatch(
        sender,
        pieces(50, () => "{not a request\n".repeat(1000)),
      ),
  },
  {
    name: "batch-deep-lines",
    description: "batch of six lines of 20 MB, each ten million levels deep",
    send: (sender) =>
      runBatch(
        sender,
        pieces(6, (i) => line(i, { x: 0 }).replace('"x":0', `"x":${"[".repeat(10 * MB)}${"]".repeat(10 * MB)}`)),
      ),
  },
  {
    name: "batch-30mb-prompts",
    description: "batch of six lines with prompts of 30 MB",
    send: (sender) =>
      runBatch(
        sender,
        pieces(6, (i) => line(i, { prompt: `${i} word`.repeat(5 * MB), max_tokens: 4 })),
      ),
  },
  {
    name: "batch-refused-lines",
    description: "batch of 20,000 lines that are refused when they run",
    send: (sender) =>
      runBatch(
        sender,
        pieces(20_000, (i) => line(i, { prompt: "The", temperature: 9 })),
      ),
  },
  {
    name: "file-one-line",
    description: "file of 190 MB that is one line",
    send: (sender) =>
      runBatch(
        sender,
        pieces(190, () => "a".repeat(MB)),
      ),
  },
  {
    name: "file-too-large",
    description: "file of 400 MB",
    send: async (sender) => [await sender.send(upload(pieces(400, () => "a".repeat(MB))))],
  },
  {
    name: "file-heads-300",
    description: "300 HEADs of the content of a file of 190 MB, ten at once",
    send: async (sender) => {
      const { reply, answer } = await sender.ask(upload(pieces(190, () => "a".repeat(MB))));
      const { id } = (answer ?? {}) as { id?: string };
      if (id === undefined) return [reply];
      const path = `/v1/files/${id}/content`;
      return [reply, ...(await sender.repeat(300, () => ({ path, method: "HEAD" }), { atOnce: 10 }))];
    },
  },
  {
    name: "form-10000-parts",
    description: "form of 10,000 fields",
    send: async (sender) => [
      await sender.send(form(`${range(10_000, (i) => part(`f${i}`, "x")).join("")}--${BOUNDARY}--\r\n`)),
    ],
  },
  {
    name: "form-field-30mb",
    description: "form with a field of 30 MB",
    send: async (sender) => [await sender.send(form(`${part("purpose", "b".repeat(30 * MB))}--${BOUNDARY}--\r\n`))],
  },
  {
    name: "files-300",
    description: "300 small files, then their list 50 times",
    isQuick: true,
    send: async (sender) => [
      ...(await sender.repeat(300, () => upload(["{}\n"]), { atOnce: 16 })),
      ...(await sender.repeat(50, () => ({ path: "/v1/files" }), { atOnce: 16 })),
    ],
  },
  {
    name: "cancels-missing-300",
    description: "300 lists of batches, and cancels of 300 batches that do not exist",
    send: async (sender) => {
      const all = { atOnce: 300 };
      const [lists, cancels] = await Promise.all([
        sender.repeat(300, () => ({ path: "/v1/batches?limit=100" }), all),
        sender.repeat(300, (i) => ({ path: `/v1/batches/batch_${i}/cancel`, body: {} }), all),
      ]);
      return [...lists, ...cancels];
    },
  },
  {
    name: "job-inline-100",
    description: "job with results of up to 5 MB, which are asked for inline 100 times at once",
    send: async (sender, { contextLength }) => {
      const prompt = range(Math.min(3900, contextLength - 8), (i) => 300 + ((i * 7) % 600));
      // Nothing is computed, so that the job ends soon.
      const body = { prompt, echo: true, max_tokens: 0, return_token_ids: true };
      const requests = range(180, (i) => ({ custom_id: `${i}`, body }));
      const { reply, answer } = await sender.ask({ path: "/v1/batch/jobs", body: { requests, endpoint: COMPLETIONS } });
      const { id } = (answer ?? {}) as { id?: string };
      if (id === undefined) return [reply];
      const path = `/v1/batch/jobs/${id}`;
      await whenOver(sender, path);
      return sender.repeat(100, () => ({ path: `${path}?inline=true` }), { atOnce: 100 });
    },
  },
  {
    name: "job-10000-requests",
    description: "batch job with 10,000 requests in its body, cancelled at once",
    send: async (sender) => {
      const requests = range(10_000, (i) => ({
        custom_id: `${i}`,
        body: { prompt: "word ".repeat(400), max_tokens: 1 },
      }));
      const made = await sender.ask({ path: "/v1/batch/jobs", body: { requests, endpoint: COMPLETIONS } });
      const { id } = (made.answer ?? {}) as { id?: string };
      if (id === undefined) return [made.reply];
      return [made.reply, await sender.send({ path: `/v1/batch/jobs/${id}/cancel`, body: {} })];
    },
  },
];
