import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { RhoneError } from "@rhone/common";
import { z } from "zod";

const lineSchema = z.object({ url: z.string() });

/** The URL that the first line of an input names. Throws INVALID_REQUEST when there is none. */
export async function firstEndpoint(path: string): Promise<string> {
  const lines = createInterface({ input: createReadStream(path) });
  try {
    for await (const text of lines) {
      const line = text.replace(/^\ufeff/, "").trim();
      if (line !== "") return lineSchema.parse(JSON.parse(line)).url;
    }
  } catch (cause) {
    throw new RhoneError("INVALID_REQUEST", `${path} can't be read, or its first line names no url; set --endpoint.`, {
      cause,
    });
  } finally {
    lines.close();
  }
  throw new RhoneError("INVALID_REQUEST", `${path} has no lines.`);
}
