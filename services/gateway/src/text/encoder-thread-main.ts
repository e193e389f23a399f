import { toRhoneError } from "@rhone/common/rhone-error";
import { serveThread } from "@rhone/common/serve-thread";
import { type EncoderOptions, encode, openEncoder } from "./encoder.js";
import type { EncodeRequest } from "./encoder-thread.js";

// The thread that applies templates and tokenizes, one request at a time.

await serveThread<EncoderOptions, EncodeRequest, readonly Int32Array[]>(async (options) => {
  const { encoder } = await openEncoder(options);
  return {
    obey({ source, last }) {
      try {
        return encoder === undefined ? [] : encode(encoder, source, last).map((list) => Int32Array.from(list));
      } catch (error) {
        throw toRhoneError(error);
      }
    },
  };
});
