import { addAbortSignal, type Readable } from "node:stream";
import { type GetObjectCommandOutput, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";

export interface S3BucketOptions {
  readonly bucket: string;
  /** Before every key: "" or something that ends with "/". */
  readonly prefix: string;
  /** Another service than Amazon's. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  /** Whether the bucket is in the path, not in the host's name; default: with an endpoint. */
  readonly pathStyle: boolean | undefined;
  /** Longest that a call may take with all its attempts. Parts of uploads have their own limit: lines are slow. */
  readonly callMs: number;
}

const PART_MS = 60_000;
const CONNECT_MS = 3000;
const SILENCE_MS = 10_000;
const ATTEMPTS = 4;

/** Credentials come from where the SDK looks for them: AWS_* variables, ~/.aws, a container's or machine's role. */
export function openS3Client({ endpoint, region, pathStyle }: S3BucketOptions): S3Client {
  const foreign: S3ClientConfig = {
    endpoint: endpoint ?? "",
    region: region ?? "us-east-1",
    // Checksums that Amazon added in 2024 are not known everywhere.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  };
  return new S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && foreign),
    forcePathStyle: pathStyle ?? endpoint !== undefined,
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: PART_MS,
      throwOnRequestTimeout: true,
      socketTimeout: SILENCE_MS,
    },
  });
}

/** The bytes of an answer, within the signal's time. */
export async function readBody({ Body }: GetObjectCommandOutput, signal: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  if (Body === undefined) return Buffer.alloc(0);
  for await (const piece of addAbortSignal(signal, Body as Readable)) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
