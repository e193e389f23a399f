import { setTimeout as sleep } from "node:timers/promises";
import { gatewayFailure } from "@rhone/client";
import { RhoneError } from "@rhone/common";

/** Between two tries. A client that obeys Retry-After waits longer, which would be what is measured. */
const RETRY_MS = 100;

/** The answer, or why there may be one later. */
export type Try =
  | { readonly response: Response }
  /** broken: nobody answered; refused: the gateway said no for now. */
  | { readonly response: null; readonly why: "broken" | "refused"; readonly error: unknown };

/** One try. Throws the gateway's error when it will not pass, and what `signal` is aborted with. */
export async function tryRequest(url: string, init: RequestInit & { readonly signal: AbortSignal }): Promise<Try> {
  try {
    const response = await fetch(url, init);
    if (response.ok) return { response };
    const error = gatewayFailure(await response.text(), response.status);
    if (!error.row.retryable) throw error;
    return { response: null, why: "refused", error };
  } catch (error) {
    init.signal.throwIfAborted();
    if (error instanceof RhoneError) throw error;
    return { response: null, why: "broken", error };
  }
}

export const pauseBeforeRetry = (signal: AbortSignal): Promise<unknown> => sleep(RETRY_MS, undefined, { signal });

/** Tries until there is an answer, and reads it with `read`, whose failure is a broken connection. */
export async function requestPatiently<T>(
  url: string,
  init: RequestInit & { readonly signal: AbortSignal },
  read: (response: Response) => Promise<T>,
): Promise<T> {
  for (;;) {
    const { response } = await tryRequest(url, init);
    if (response !== null) {
      const got = await read(response).then(
        (value) => ({ value }),
        () => null,
      );
      init.signal.throwIfAborted();
      if (got !== null) return got.value;
    }
    await pauseBeforeRetry(init.signal);
  }
}
