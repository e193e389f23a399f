export interface MainPackage {
  /** Under @node-llama-cpp; package.json pins its version. */
  readonly name: string;
  /** The release of ggml in it. */
  readonly ggml: string;
}

/** The ggml release of the headers that the bindings were written from. What they declare, both releases have. */
export const NEWEST_GGML = "0.25.1";
/** The packages for macOS and Windows end at 3.21.1, with this release; those for Linux go on to 3.22.1. */
const OLDER_GGML = "0.23.0";

/** The package with the prebuilt engine, by platform and architecture. */
export const MAIN_PACKAGES: Readonly<Record<string, MainPackage>> = {
  "linux-x64": { name: "linux-x64", ggml: NEWEST_GGML },
  "linux-arm64": { name: "linux-arm64", ggml: NEWEST_GGML },
  "darwin-arm64": { name: "mac-arm64-metal", ggml: OLDER_GGML },
  "darwin-x64": { name: "mac-x64", ggml: OLDER_GGML },
  "win32-x64": { name: "win-x64", ggml: OLDER_GGML },
  "win32-arm64": { name: "win-arm64", ggml: OLDER_GGML },
};

export const thisPlatform = (): string => `${process.platform}-${process.arch}`;
