import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { RhoneError } from "@rhone/common";
import { z } from "zod";

const lineSchema = z.object({ url: z.string() });

/** The `url` of the first line. Throws INVALID_REQUEST when the file can't be read or has none. */
export async function firstEndpoint(path: string): Promise<string> {
  const first = await firstLine(path).catch((cause: unknown) => {
    throw new RhoneError("INVALID_REQUEST", `${path} can't be read: ${(cause as Error).message}.`, { cause });
  });
  if (first === undefined) throw new RhoneError("INVALID_REQUEST", `${path} is empty.`);
  try {
    return lineSchema.parse(JSON.parse(first)).url;
  } catch (cause) {
    const message = `The first line of ${path} is not a JSON object with a url. Mend it, or give --endpoint.`;
    throw new RhoneError("INVALID_REQUEST", message, { cause });
  }
}

/** The first line that is not blank. */
async function firstLine(path: string): Promise<string | undefined> {
  const lines = createInterface({ input: createReadStream(path) });
  try {
    for await (const text of lines) {
      const line = text.replace(/^\ufeff/, "").trim();
      if (line !== "") return line;
    }
    return undefined;
  } finally {
    lines.close();
  }
}
