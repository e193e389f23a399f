import { parentPort, workerData } from "node:worker_threads";
import { toRhoneError } from "@rhone/common";
import { type EncoderOptions, encode, openEncoder } from "./encoder.js";
import type { EncodeAnswer, EncodeRequest } from "./encoder-messages.js";

// The thread that applies templates and tokenizes, one request at a time.

const tell = (answer: EncodeAnswer, transfer: readonly ArrayBuffer[] = []): void =>
  parentPort?.postMessage(answer, [...transfer]);

const { encoder } = await openEncoder(workerData as EncoderOptions);

parentPort?.on("message", ({ id, source, last }: EncodeRequest) => {
  try {
    const ids = encoder === undefined ? [] : encode(encoder, source, last).map((list) => Int32Array.from(list));
    tell(
      { kind: "encoded", id, ids },
      ids.map(({ buffer }) => buffer),
    );
  } catch (error) {
    const { code, message, param } = toRhoneError(error);
    tell({ kind: "refused", id, code, message, param });
  }
});
tell({ kind: "ready" });
