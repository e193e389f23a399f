import { Metadata, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import { clipped } from "../errors/clipped.js";
import { isErrorCode } from "../errors/error-table.js";
import { RhoneError, toRhoneError } from "../errors/rhone-error.js";

const CODE_KEY = "rhone-code";
/** Characters of a message, which is one header of HTTP/2 on the wire: 36 KB at most, of the 64 that one may have. */
const MOST_DETAILS = 4000;

/** The only place where an error becomes a gRPC status. The error's code travels in the metadata. */
export function toGrpcStatus(error: unknown): StatusObject {
  const named = toRhoneError(error);
  const metadata = new Metadata();
  metadata.set(CODE_KEY, named.code);
  return { code: named.row.grpc, details: clipped(named.message, MOST_DETAILS), metadata };
}

/**
 * The error that a peer sent, or WORKER_LOST when the call itself failed. `peer` names it in the message. A status of
 * CANCELLED also means that the peer is gone: a server that shuts down cancels its calls, and our own cancelled calls
 * report nothing.
 */
export function fromGrpcError(error: ServiceError, peer: string): RhoneError {
  const code = String(error.metadata?.get(CODE_KEY)[0] ?? "");
  if (isErrorCode(code)) return new RhoneError(code, error.details, { cause: error });
  return new RhoneError("WORKER_LOST", `The connection to ${peer} failed: ${reasonIn(error.details)}.`, {
    cause: error,
  });
}

/**
 * The system's reason alone, without a full stop. grpc-js reports it as "No connection established. Last error: Error:
 * connect ECONNREFUSED 10.0.0.1:7110. Resolution note: ".
 */
function reasonIn(details: string): string {
  const [, reason = details] = /Last error: (?:Error: )?(.*?)\. Resolution note:/s.exec(details) ?? [];
  return reason.replace(/[.\s]+$/, "");
}
