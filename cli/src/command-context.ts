import { type CliConfig, type CommandWriter, commandWriter, readCliConfig } from "./config.js";
import { type DataDir, dataDirAt } from "./data-dir.js";
import { type Style, styleFor } from "./terminal/style.js";

/** What every command needs besides its own options. */
export interface CommandContext {
  readonly config: CliConfig;
  readonly dataDir: DataDir;
  /** For standard output. */
  readonly style: Style;
  /** Writes commands that messages suggest. */
  readonly rhone: CommandWriter;
  /** Aborted by Ctrl-C and SIGTERM; the command then exits with 130. */
  readonly signal: AbortSignal;
}

/** `home`: --data-dir, if given. Throws INVALID_CONFIG. */
export function commandContext(home: string | undefined, signal: AbortSignal): CommandContext {
  const config = readCliConfig(home);
  const style = styleFor(process.stdout, config.noColor);
  return { config, dataDir: dataDirAt(config.home), style, rhone: commandWriter(config.home), signal };
}
