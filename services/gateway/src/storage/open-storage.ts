import type { Logger } from "@rhone/common";
import { DiskStorage } from "./disk/disk-storage.js";
import type { ObjectStorage } from "./object-storage.js";
import type { StorageLocation } from "./storage-settings.js";

const S3_CALL_MS = 20_000;

export interface StorageSettings {
  readonly storage: StorageLocation;
  readonly s3Endpoint: string | undefined;
  readonly s3Region: string | undefined;
  readonly s3PathStyle: boolean | undefined;
}

/** Throws INVALID_CONFIG for a bucket that does not exist or refuses access; warns when it cannot be reached. */
export async function openStorage(settings: StorageSettings, logger: Logger): Promise<ObjectStorage> {
  const { storage: location, s3Endpoint: endpoint, s3Region: region, s3PathStyle: pathStyle } = settings;
  if (location.kind === "disk") return new DiskStorage(location.folder);
  // Amazon's SDK takes 0.25 s to load; gateways that store on a disk skip it.
  const { S3Storage } = await import("./s3/s3-storage.js");
  const storage = new S3Storage({ ...location, endpoint, region, pathStyle, callMs: S3_CALL_MS });
  await storage.check(logger);
  return storage;
}
