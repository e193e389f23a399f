import { text } from "node:stream/consumers";
import {
  fetchStatus,
  type GenerationRequest,
  type Message,
  type Sampling,
  streamText,
  type Usage,
} from "@rhone/client";
import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { runningCluster } from "../cluster/find-cluster.js";
import { type CommandContext, commandContext } from "../command-context.js";
import { decimalNumber, positive, seed } from "../option-parsers.js";
import { formatError } from "../terminal/failure.js";
import { plural } from "../terminal/format.js";
import { answerLines } from "./answer-lines.js";
import { addGatewayFlags } from "./flags.js";

interface GenerationOptions {
  readonly url?: string;
  readonly model?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: bigint;
  readonly stop?: readonly string[];
  readonly dataDir?: string;
}

interface ChatOptions extends GenerationOptions {
  readonly system?: string;
}

export function addGenerateCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("generate")
    .description("let the model continue a text")
    .argument("[prompt...]", "the text (default: standard input)");
  addGenerationFlags(command).action(async (words: readonly string[], options: GenerationOptions) => {
    const target = await findTarget(options, commandContext(options.dataDir, signal));
    const prompt = words.length > 0 ? words.join(" ") : await text(process.stdin);
    await printAnswer(streamText({ ...target, input: { prompt }, sampling: samplingOf(options), signal }));
  });
}

export function addChatCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command("chat")
    .description("talk with the model; /help lists what one can type")
    .argument("[message...]", "the first message")
    .option("-s, --system <text>", "instructions for the model");
  addGenerationFlags(command).action(async (words: readonly string[], options: ChatOptions) => {
    const context = commandContext(options.dataDir, signal);
    const target = { ...(await findTarget(options, context)), sampling: samplingOf(options) };
    const first = words.length > 0 ? words.join(" ") : undefined;
    await chat({ ...options, first }, target, context);
  });
}

/**
 * Answers line after line. At a terminal the conversation goes on after an error; with piped input the first one ends
 * it, so that a script sees the failure.
 */
async function chat(
  { system, url, first }: ChatOptions & { readonly first: string | undefined },
  target: Omit<GenerationRequest, "input" | "signal">,
  { signal, style, rhone }: CommandContext,
): Promise<void> {
  const { stdin: input, stdout: output } = process;
  const prompt = input.isTTY ? style.bold("> ") : "";
  const conversation = new Conversation(system);
  const terminal = input.isTTY && output.isTTY;
  const source = { input, output, terminal, prompt, signal, first };
  await answerLines(source, async (line, answering) => {
    try {
      const reply = await conversation.say(line, async (messages) => {
        const clock = new AnswerClock();
        const onUsage = ({ completionTokens }: Usage) => clock.counted(completionTokens);
        const pieces = streamText({ ...target, input: { messages }, signal: answering, onUsage });
        const answer = await printAnswer(clock.watch(pieces));
        if (terminal) output.write(`${style.dim(clock.summary())}\n`);
        return answer;
      });
      if (reply !== null) process.stderr.write(`${reply}\n`);
    } catch (error) {
      if (!input.isTTY || signal.aborted) throw error;
      process.stderr.write(answering.aborted ? "\n" : `${formatError(error, style, { rhone, url })}\n`);
    }
  });
  signal.throwIfAborted();
}

/** The messages so far. A question whose answer fails is forgotten, and the conversation continues. */
export class Conversation {
  readonly #start: readonly Message[];
  #messages: readonly Message[];

  constructor(system: string | undefined) {
    this.#start = system === undefined ? [] : [{ role: "system", content: system }];
    this.#messages = this.#start;
  }

  /**
   * Asks with all messages so far. /reset drops them, /help and a command that is none have a reply of their own, which
   * is returned; a blank line does nothing. Throws the error of `ask`.
   */
  async say(line: string, ask: (messages: readonly Message[]) => Promise<string>): Promise<string | null> {
    const content = line.trim();
    if (content === "") return null;
    if (content === "/help") return CHAT_HELP;
    if (content === "/reset") this.#messages = this.#start;
    else if (/^\/[a-z]+$/i.test(content)) return `There is no command ${content}; /help lists them.`;
    else {
      const asked: readonly Message[] = [...this.#messages, { role: "user", content }];
      this.#messages = [...asked, { role: "assistant", content: await ask(asked) }];
    }
    return null;
  }
}

const CHAT_HELP = `/reset   start over
/exit    leave, as Ctrl-D does
/help    this list
Ctrl-C   stop the answer that is being written; leave while none is`;

/** Times an answer. */
export class AnswerClock {
  readonly #now: () => number;
  readonly #startedAt: number;
  #firstAt: number | null = null;
  #tokens: number | null = null;

  /** `now`: milliseconds. */
  constructor(now = () => performance.now()) {
    this.#now = now;
    this.#startedAt = now();
  }

  /** The pieces, unchanged. The first that is not empty holds the first token. */
  async *watch(pieces: AsyncIterable<string>): AsyncGenerator<string> {
    for await (const piece of pieces) {
      if (piece !== "") this.#firstAt ??= this.#now();
      yield piece;
    }
  }

  /** Takes the number of the answer's tokens, where it is known. */
  counted(tokens: number): void {
    this.#tokens = tokens;
  }

  /** "42 tokens, the first after 0.31 s, then 24.5 tokens/s": of an answer that has just ended. */
  summary(): string {
    const [first, tokens] = [this.#firstAt ?? this.#now(), this.#tokens];
    const begun = `the first after ${((first - this.#startedAt) / 1000).toFixed(2)} s`;
    if (tokens === null) return begun;
    const seconds = (this.#now() - first) / 1000;
    const rate = tokens > 1 && seconds > 0 ? `, then ${((tokens - 1) / seconds).toFixed(1)} tokens/s` : "";
    return `${plural(tokens, "token")}, ${begun}${rate}`;
  }
}

async function printAnswer(pieces: AsyncIterable<string>): Promise<string> {
  let answer = "";
  for await (const piece of pieces) {
    process.stdout.write(piece);
    answer += piece;
  }
  process.stdout.write("\n");
  return answer;
}

function addGenerationFlags(command: Command): Command {
  return addGatewayFlags(command)
    .option("-m, --model <name>", "model to ask (default: the one that is served)")
    .option("-n, --max-tokens <n>", "tokens to generate, at most", positive)
    .option("-t, --temperature <t>", "0 = always the most likely token", decimalNumber({ least: 0, most: 2 }))
    .option("--top-p <p>", "nucleus sampling", decimalNumber({ least: 0, most: 1 }))
    .option("--seed <n>", "the same seed draws the same tokens", seed)
    .option("--stop <text...>", "strings that end the answer");
}

function samplingOf({ maxTokens, temperature, topP, seed, stop }: GenerationOptions): Sampling {
  return { maxTokens, temperature, topP, seed, stop };
}

type Target = Pick<GenerationRequest, "url" | "model" | "apiKey">;

/** The gateway and the model to ask: by flags, else the data directory's cluster. Throws NOT_RUNNING. */
export async function findTarget(
  { url, model }: Pick<GenerationOptions, "url" | "model">,
  { dataDir, signal, config: { apiKey } }: Pick<CommandContext, "dataDir" | "config" | "signal">,
): Promise<Target> {
  if (url === undefined) {
    const cluster = await runningCluster(dataDir);
    return { url: cluster.url, model: model ?? cluster.model, apiKey };
  }
  return { url, model: model ?? (await servedModel(url, signal)), apiKey };
}

async function servedModel(gateway: string, signal: AbortSignal): Promise<string> {
  const status = await fetchStatus(gateway, { signal });
  const name = status.gateway?.models?.[0]?.name ?? status.coordinators[0]?.model.name;
  if (name !== undefined) return name;
  throw new RhoneError("NOT_RUNNING", `The gateway at ${gateway} sees no coordinator; name the model with --model.`);
}
