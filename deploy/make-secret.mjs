// Writes a secret of 256 random bits to the file, readable by its owner alone, unless it is there.
import { randomBytes } from "node:crypto";
import { existsSync, renameSync, writeFileSync } from "node:fs";

const [, , path] = process.argv;
if (!existsSync(path)) {
  writeFileSync(`${path}.draft`, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o400 });
  renameSync(`${path}.draft`, path);
}
