import { parentPort, workerData } from "node:worker_threads";
import { toRhoneError } from "@rhone/common";
import { type EncoderOptions, encode, openEncoder } from "./encoder.js";
import { CLOSE, type EncodeAnswer, type EncodeRequest } from "./encoder-messages.js";

// The thread that applies templates and tokenizes, one request at a time.

const tell = (answer: EncodeAnswer, transfer: readonly ArrayBuffer[] = []): void =>
  parentPort?.postMessage(answer, [...transfer]);

const { encoder } = await openEncoder(workerData as EncoderOptions);

function answer({ source, last }: EncodeRequest): void {
  try {
    const ids = encoder === undefined ? [] : encode(encoder, source, last).map((list) => Int32Array.from(list));
    tell(
      { kind: "encoded", ids },
      ids.map(({ buffer }) => buffer),
    );
  } catch (error) {
    const { code, message, param } = toRhoneError(error);
    tell({ kind: "refused", code, message, param });
  }
}

parentPort?.on("message", (request: EncodeRequest | typeof CLOSE) => {
  if (request !== CLOSE) return answer(request);
  encoder?.vocabulary.close();
  parentPort?.close();
});
tell({ kind: "ready" });
