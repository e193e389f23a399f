import { addAbortSignal, type Readable } from "node:stream";
import { type GetObjectCommandOutput, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";

export interface S3BucketOptions {
  readonly bucket: string;
  /** Precedes every key; "" or ends with "/". */
  readonly prefix: string;
  /** The URL of an S3-compatible service; undefined: Amazon's. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  /** Whether the bucket is part of the path instead of the host name; default: true with an endpoint. */
  readonly pathStyle: boolean | undefined;
  /** Longest that a call may take with all attempts. Parts of uploads have their own limit: uplinks are slow. */
  readonly callMs: number;
}

const PART_MS = 60_000;
const CONNECT_MS = 3000;
const SILENCE_MS = 10_000;
const ATTEMPTS = 4;

/** Credentials come from where the SDK finds them: AWS_* variables, ~/.aws, the role of the container or machine. */
export function openS3Client({ endpoint, region, pathStyle }: S3BucketOptions): S3Client {
  const foreign: S3ClientConfig = {
    endpoint: endpoint ?? "",
    region: region ?? "us-east-1",
    // Not every service knows the checksums that Amazon added in 2024.
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

/** Reads the body of an answer. Throws when the signal aborts first. */
export async function readBody({ Body }: GetObjectCommandOutput, signal: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  if (Body === undefined) return Buffer.alloc(0);
  for await (const piece of addAbortSignal(signal, Body as Readable)) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
