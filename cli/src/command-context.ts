import { type CliConfig, readCliConfig } from "./config.js";
import { type DataDir, dataDirAt } from "./data-dir.js";
import { type Style, styleFor } from "./terminal/style.js";

/** What every command needs besides its own options. */
export interface CommandContext {
  readonly config: CliConfig;
  readonly dataDir: DataDir;
  /** For standard output. */
  readonly style: Style;
  /** Aborted by Ctrl-C and SIGTERM; the command then exits with 130. */
  readonly signal: AbortSignal;
}

/** `home`: --data-dir, if given. Throws INVALID_CONFIG. */
export function commandContext(home: string | undefined, signal: AbortSignal): CommandContext {
  const config = readCliConfig(home);
  return { config, dataDir: dataDirAt(config.home), style: styleFor(process.stdout, config.noColor), signal };
}
