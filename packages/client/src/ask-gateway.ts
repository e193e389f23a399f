import { type ClusterStatus, checkClusterStatus, isErrorCode, RhoneError, SECRET_HEADER } from "@rhone/common";
import { z } from "zod";

const failureSchema = z.object({ error: z.object({ message: z.string(), code: z.string().nullish() }) });

/**
 * The error in a gateway's answer: the code and message of its JSON body, or INTERNAL with the beginning of a body that
 * is something else. A refused request whose code this version does not know is INVALID_REQUEST.
 */
export function gatewayFailure(body: string, status: number): RhoneError {
  const failure = failureSchema.safeParse(parseJson(body));
  if (!failure.success) return new RhoneError("INTERNAL", `The gateway answered ${status}: ${body.slice(0, 500)}`);
  const { code, message } = failure.data.error;
  const known = code?.toUpperCase() ?? "";
  if (isErrorCode(known)) return new RhoneError(known, message);
  return new RhoneError(status === 400 ? "INVALID_REQUEST" : "INTERNAL", message);
}

/**
 * `fetch`, with the key if there is one. Throws NOT_RUNNING when no gateway answers, and the signal's reason when it
 * aborts.
 */
export async function askGateway(url: string, { apiKey, clusterSecret, ...init }: GatewayInit): Promise<Response> {
  const secret = clusterSecret === undefined ? {} : { [SECRET_HEADER]: clusterSecret };
  try {
    return await fetch(url, { ...init, headers: { ...init.headers, ...authorization(apiKey), ...secret } });
  } catch (cause) {
    init.signal.throwIfAborted();
    const { origin } = new URL(url);
    throw new RhoneError("NOT_RUNNING", `No gateway answers at ${origin}; it may still be starting.`, { cause });
  }
}

/** What a caller shows. */
export interface GatewayCredentials {
  readonly apiKey?: string | undefined;
  /** Of the cluster on this machine: its owner sees ids and addresses without a key. */
  readonly clusterSecret?: string | undefined;
}

export interface GatewayInit extends RequestInit, GatewayCredentials {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Needed by Node's `fetch` for a body that is a stream. */
  readonly duplex?: "half";
}

export interface GatewayStatus {
  readonly coordinators: readonly ClusterStatus[];
  /** Absent: one of the release before. `pid`: told to its machine. `models`: with the number of their coordinators. */
  readonly gateway?: {
    readonly pid?: number;
    readonly models?: readonly { readonly name: string; readonly coordinators: number }[];
  };
}

const modelsSchema = z.array(z.looseObject({ name: z.string(), coordinators: z.number() }));
const answerSchema = z.looseObject({
  coordinators: z.array(z.unknown()),
  gateway: z.looseObject({ pid: z.number().exactOptional(), models: modelsSchema.exactOptional() }).exactOptional(),
});

/** A status is read from memory and one key of Redis. */
const STATUS_DEADLINE_MS = 10_000;

const silentGateway = (url: string): string =>
  `The gateway at ${url} has not answered within ${STATUS_DEADLINE_MS / 1000} s; it hangs or was stopped.`;

/**
 * GET /status of a gateway at http://host:port, without ids and addresses unless a credential is shown. Throws
 * NOT_RUNNING when no gateway answers, and RECORD_UNREADABLE when it is of another version. One that does not answer
 * within 10 s is not running.
 */
export async function fetchStatus(
  url: string,
  { signal, ...credentials }: GatewayCredentials & { readonly signal: AbortSignal },
): Promise<GatewayStatus> {
  const deadline = AbortSignal.timeout(STATUS_DEADLINE_MS);
  const either = AbortSignal.any([signal, deadline]);
  const response = await askGateway(`${url}/status`, { ...credentials, signal: either }).catch((error) => {
    if (deadline.aborted) throw new RhoneError("NOT_RUNNING", silentGateway(url), { cause: error });
    throw error;
  });
  if (!response.ok) throw gatewayFailure(await response.text(), response.status);
  const answer = answerSchema.parse(await response.json());
  const coordinators = answer.coordinators.map((status) => checkClusterStatus(status, `The gateway at ${url}`));
  return { ...answer, coordinators };
}

/** The header that carries an API key; none without a key. */
export const authorization = (apiKey: string | undefined): Readonly<Record<string, string>> =>
  apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };

/** undefined for text that is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
