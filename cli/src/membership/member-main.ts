import { runInBackground } from "../cluster/run-in-background.js";
import { readCliConfig } from "../config.js";
import { ENTRY_POINTS } from "../processes/entry-points.js";
import { memberOptionsSchema } from "./member-options.js";
import { runMember } from "./run-member.js";

// The process behind `rhone join --detach`.

await runInBackground(async ({ options, ...run }) => {
  const request = { options: memberOptionsSchema.parse(options), config: readCliConfig() };
  await runMember({ ...request, entryPoints: ENTRY_POINTS, ...run });
});
