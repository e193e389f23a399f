import type { Attack } from "./attack.js";
import { range } from "./range.js";
import type { Asked, Outgoing, Reply, Sender } from "./sender.js";

const RESPONSES = "/v1/responses";
const MB = 1e6;

const ask = (fields: object): Outgoing => ({
  path: RESPONSES,
  body: { input: "Answer.", max_output_tokens: 2, ...fields },
});

const said = (content: unknown) => ({ role: "user", content });

/** An input that is too long for the context, but stored: `truncation: "auto"` leaves all out but its end. */
const long = (items: readonly object[], fields: object = {}): Outgoing =>
  ask({ input: [...items, said("Answer.")], truncation: "auto", ...fields });

/** Nearly the most characters that a stored response may have. */
const longest = (fields: object = {}): Outgoing => long([said("word ".repeat(180_000))], fields);

const pathOf = ({ answer }: Asked): string | undefined => {
  const id = (answer as { readonly id?: unknown } | undefined)?.id;
  return typeof id === "string" ? `${RESPONSES}/${id}` : undefined;
};

/** Makes a response, sends requests about it, and deletes it. */
async function useResponse(
  sender: Sender,
  made: Outgoing,
  about: { readonly count: number; readonly suffix: string; readonly leaveAfterMs?: number },
): Promise<readonly Reply[]> {
  const asked = await sender.ask(made);
  const path = pathOf(asked);
  if (path === undefined) return [asked.reply];
  const { count, suffix, ...request } = about;
  const replies = await sender.repeat(count, () => ({ path: `${path}${suffix}`, ...request }), { atOnce: count });
  return [asked.reply, ...replies, await sender.send({ method: "DELETE", path })];
}

/** Makes `count` responses, does something with each, and deletes them. */
async function useResponses(
  sender: Sender,
  {
    count,
    made,
    about,
  }: {
    readonly count: number;
    readonly made: Outgoing;
    readonly about: Omit<Outgoing, "path"> & { readonly suffix: string };
  },
): Promise<readonly Reply[]> {
  const asked = await Promise.all(range(count, () => sender.ask(made)));
  const paths = asked.flatMap((each) => pathOf(each) ?? []);
  const { suffix, ...request } = about;
  const used = await sender.repeat(paths.length, (i) => ({ ...request, path: `${paths[i]}${suffix}` }));
  const deleted = await sender.repeat(paths.length, (i) => ({ method: "DELETE", path: paths[i] ?? RESPONSES }));
  return [...asked.map(({ reply }) => reply), ...used, ...deleted];
}

/** Responses of which each continues the one before it, until one is refused; then what the last one answered to. */
async function chain(sender: Sender, count: number, made: (previous: object) => Outgoing): Promise<readonly Reply[]> {
  const replies: Reply[] = [];
  const paths: string[] = [];
  let previous = {};
  for (let i = 0; i < count && !sender.signal.aborted; i++) {
    const asked = await sender.ask(made(previous));
    replies.push(asked.reply);
    const path = pathOf(asked);
    if (path === undefined) break;
    paths.push(path);
    previous = { previous_response_id: path.slice(RESPONSES.length + 1) };
  }
  replies.push(...(await sender.repeat(20, () => ({ path: `${paths.at(-1) ?? RESPONSES}/input_items?limit=100` }))));
  replies.push(...(await sender.repeat(paths.length, (i) => ({ method: "DELETE", path: paths[i] ?? RESPONSES }))));
  return replies;
}

const call = (i: number) => ({ type: "function_call", id: `${i}`, call_id: "c", name: "f", arguments: "{}" });

const tools = range(60, (tool) => ({
  type: "function",
  name: `tool_${tool}`,
  parameters: {
    type: "object",
    properties: Object.fromEntries(range(10, (i) => [`f${i}`, { type: "string", minLength: 1, maxLength: 500 }])),
  },
}));

/** Responses that are long, many, chained, or read again and again. */
export const RESPONSE_ATTACKS: readonly Attack[] = [
  {
    name: "response-items-60000",
    description: "a response to 60,000 items, and one to an item of 60,000 parts",
    send: async (sender) => [
      await sender.send(ask({ input: range(60_000, () => said("hello")) })),
      await sender.send(ask({ input: [said(range(60_000, () => ({ type: "input_text", text: "hello" })))] })),
    ],
  },
  {
    name: "response-items-bad",
    description: "responses to 1.2 million items, parts and outputs, none of which is one",
    send: async (sender) => {
      const zeros = range(1.2 * MB, () => 0);
      const output = { type: "function_call_output", call_id: "c", output: zeros };
      return [
        await sender.send(ask({ input: zeros })),
        await sender.send(ask({ input: [said(zeros)] })),
        await sender.send(ask({ input: [call(0), output] })),
      ];
    },
  },
  {
    name: "response-fields",
    description:
      "responses with 19,000 keys of metadata and of reasoning, and 100,000 values of include and truncation",
    isQuick: true,
    send: async (sender) => {
      const keys = Object.fromEntries(range(19_000, (i) => [`k${i}`, "v"]));
      const include = range(100_000, () => "message.output_text.logprobs");
      const fields = [{ metadata: keys }, { reasoning: keys }, { include }, { truncation: include }, { prompt: keys }];
      return sender.repeat(fields.length, (i) => ask(fields[i] ?? {}), { atOnce: 1 });
    },
  },
  {
    name: "response-formats",
    description: "responses in a schema of 3,000 properties, and with 60 tools of 10 bounded strings",
    send: async (sender) => {
      const properties = Object.fromEntries(range(3000, (i) => [`field_${i}`, { type: "string" }]));
      const schema = { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
      return [
        await sender.send(ask({ text: { format: { type: "json_schema", name: "s", schema, strict: true } } })),
        await sender.send(ask({ tools, tool_choice: "required" })),
      ];
    },
  },
  {
    name: "responses-cut-7mb",
    description: "six responses at once to 4,000 items of 1.7 KB, of which the oldest are left out",
    send: (sender) => {
      const items = range(4000, (i) => said(`${i} word`.repeat(200)));
      const { path, body } = long(items, { store: false });
      const text = JSON.stringify(body);
      return sender.repeat(6, () => ({ path, body: text }));
    },
  },
  {
    name: "responses-counted-7mb",
    description: "the tokens of six inputs of 7 MB at once",
    send: (sender) =>
      sender.repeat(6, (i) => ({
        path: `${RESPONSES}/input_tokens`,
        body: { input: `${i} word`.repeat((7 * MB) / 6) },
      })),
  },
  {
    name: "responses-calls-chained",
    description: "26 responses to 4,000 function calls, each of which continues the one before",
    send: (sender) => {
      const calls = range(4000, call);
      return chain(sender, 26, (previous) => long(calls, previous));
    },
  },
  {
    name: "responses-chained-300",
    description: "300 responses to 90 KB, each of which continues the one before, and 20 lists of what the last had",
    send: (sender) =>
      chain(sender, 300, (previous) => long([said("word ".repeat(18_000))], { ...previous, max_output_tokens: 1 })),
  },
  {
    name: "responses-stored-300",
    description: "300 stored responses to 0.9 MB, which are read and deleted",
    send: (sender) => useResponses(sender, { count: 300, made: longest(), about: { suffix: "" } }),
  },
  {
    name: "responses-background-200",
    description: "200 responses in the background at once, which are cancelled",
    send: (sender) =>
      useResponses(sender, {
        count: 200,
        made: ask({ background: true, max_output_tokens: 500, ignore_eos: true }),
        about: { method: "POST", suffix: "/cancel" },
      }),
  },
  {
    name: "responses-background-1mb",
    description: "60 responses in the background to 0.9 MB at once, which are cancelled",
    send: (sender) =>
      useResponses(sender, {
        count: 60,
        made: longest({ background: true, max_output_tokens: 500, ignore_eos: true }),
        about: { method: "POST", suffix: "/cancel" },
      }),
  },
  {
    name: "response-pages-200",
    description: "200 pages at once of the 3,000 items that one response answered to",
    send: (sender) =>
      useResponse(sender, long(range(3000, () => said("word ".repeat(40)))), {
        count: 200,
        suffix: "/input_items?limit=100&order=asc",
      }),
  },
  {
    name: "response-resumed-400",
    description: "400 readers at once of a response in the background with 20 log-probabilities per token",
    send: (sender) => {
      const wide = { top_logprobs: 20, include: ["message.output_text.logprobs"], max_output_tokens: 200 };
      const made = ask({ background: true, stream: false, ignore_eos: true, ...wide });
      return useResponse(sender, made, { count: 400, suffix: "?stream=true", leaveAfterMs: 30_000 });
    },
  },
  {
    name: "responses-missing-900",
    description: "300 responses that do not exist, which are read, deleted and cancelled",
    send: (sender) =>
      sender.repeat(900, (i) => {
        const path = `${RESPONSES}/resp_${i.toString(16).padStart(32, "0")}`;
        if (i % 3 === 0) return { path };
        return i % 3 === 1 ? { method: "DELETE", path } : { method: "POST", path: `${path}/cancel` };
      }),
  },
];
