import { parentPort, workerData } from "node:worker_threads";
import { RhoneError } from "../errors/rhone-error.js";
import { placeOfThread } from "./compute-timer.js";
import type { FromThread, ThreadStart, ToThread } from "./thread-messages.js";

/** What a compute thread does. */
export interface Served<Message, Answer> {
  /**
   * The answer; nobody sees it where the message was only told. A RhoneError refuses what was asked; ThreadSpent and
   * any other error end the thread.
   */
  obey(message: Message): Answer | Promise<Answer>;
}

/** Thrown by `obey` when the thread can't be used afterwards. `refusal` is the answer of the one who asked. */
export class ThreadSpent extends Error {
  readonly refusal: RhoneError;

  constructor(refusal: RhoneError) {
    super(refusal.message, { cause: refusal });
    this.refusal = refusal;
  }
}

/** Makes this thread the other side of a `ComputeThread`: opens it with its data, then obeys one message at a time. */
export async function serveThread<Data, Message, Answer>(
  open: (data: Data) => Promise<Served<Message, Answer>>,
): Promise<void> {
  const post = (message: FromThread<Answer>): void => parentPort?.postMessage(message);
  const { data } = workerData as ThreadStart;
  const served = await open(data as Data);
  const obey = async (order: ToThread<Message>): Promise<void> => {
    if (order.kind === "rest") return parentPort?.close();
    try {
      const answer = await served.obey(order.message);
      if (order.kind === "ask") post({ kind: "answered", answer });
    } catch (error) {
      post(refusalOf(error, order.kind));
    }
  };
  let line: Promise<void> = Promise.resolve();
  parentPort?.on("message", (order: ToThread<Message>) => {
    line = line.then(() => obey(order));
  });
  post({ kind: "open", place: placeOfThread() });
}

function refusalOf(error: unknown, kind: "tell" | "ask"): FromThread<never> {
  const refusal = error instanceof ThreadSpent ? error.refusal : error;
  // An unhandled rejection ends the thread, with this error.
  if (!(refusal instanceof RhoneError)) throw error;
  const { code, message, param } = refusal;
  return { kind: "refused", code, message, param, isOver: error instanceof ThreadSpent || kind === "tell" };
}
