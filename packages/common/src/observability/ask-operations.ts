import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { SECRET_HEADER, type Security } from "../security/security.js";

export interface OperationsAnswer {
  readonly code: number;
  readonly body: string;
}

/**
 * GET, or POST, of a path of an operations server (host:port), as a process that may see all of it. Throws what the
 * connection throws, and what `signal` does.
 */
export async function askOperations(
  address: string,
  path: string,
  {
    security,
    signal,
    method = "GET",
  }: { readonly security: Security; readonly signal: AbortSignal; readonly method?: "GET" | "POST" },
): Promise<OperationsAnswer> {
  const { identity, secret } = security;
  const headers = secret === null ? {} : { [SECRET_HEADER]: secret };
  const options: RequestOptions = { method, headers, signal, agent: false };
  const response = await answerOf(
    identity === null
      ? httpRequest(`http://${address}${path}`, options)
      : httpsRequest(`https://${address}${path}`, {
          ...options,
          ...identity.context,
          checkServerIdentity: (_host, certificate) => security.notOfCluster(certificate),
        }),
  );
  return { code: response.statusCode ?? 0, body: await text(response) };
}

const answerOf = (request: ClientRequest): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", reject);
    request.end();
  });
