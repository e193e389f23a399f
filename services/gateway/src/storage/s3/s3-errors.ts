import { RhoneError } from "@rhone/common";

/** A failure as S3 and its SDK report it. */
interface S3Failure {
  readonly name: string;
  readonly message: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const failureOf = (error: unknown): S3Failure =>
  error instanceof Error ? error : { name: "Error", message: String(error) };

const statusOf = (error: unknown): number | undefined => failureOf(error).$metadata?.httpStatusCode;

/** null when there is no such object. A missing bucket is thrown. */
export function noSuchObject(error: unknown): null {
  if (statusOf(error) === 404 && failureOf(error).name !== "NoSuchBucket") return null;
  throw error;
}

/** S3's answer to a range of an empty object. */
export const isBeyondEnd = (error: unknown): boolean => statusOf(error) === 416;

/** Whether the bucket, the credentials or the settings are wrong, so that trying again will not help. */
export function isRefusal(error: unknown): boolean {
  const status = statusOf(error);
  if (status === undefined) return /^CredentialsProviderError$|^Region is missing/.test(describe(error));
  return status >= 300 && status < 500 && status !== 408 && status !== 429;
}

/** "AccessDenied: …", without the signed requests and key ids that errors of the SDK carry. */
export function describe(error: unknown): string {
  const { name, message } = failureOf(error);
  if (name === "CredentialsProviderError") return name;
  if (name === "AbortError" || name === "TimeoutError") return "no answer in time";
  return name === "Error" ? message : `${name}: ${message}`;
}

export function explainS3(error: unknown): never {
  if (error instanceof RhoneError) throw error;
  const cause = new Error(describe(error));
  if (statusOf(error) === 507)
    throw new RhoneError("DISK_FULL", "The bucket is full; delete files that are no longer needed.", { cause });
  throw new RhoneError("STORAGE_UNAVAILABLE", `The bucket cannot be used now: ${cause.message}.`, { cause });
}
