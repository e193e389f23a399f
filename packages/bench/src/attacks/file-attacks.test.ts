import { json } from "node:stream/consumers";
import { expect, it } from "vitest";
import { senderTo } from "../testing/sender-to.js";
import { FILE_ATTACKS } from "./file-attacks.js";

/** A gateway whose one job is over when it is asked for a second time. Returns what was asked of it. */
async function attacked(name: string) {
  const asked: string[] = [];
  const bodies: unknown[] = [];
  const sender = await senderTo(async (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.method === "POST") bodies.push(await json(request));
    response.end(JSON.stringify({ id: "j", status: asked.length < 3 ? "RUNNING" : "SUCCESS" }));
  });
  const attack = FILE_ATTACKS.find((each) => each.name === name);
  const replies = await attack?.send(sender, { name: "breeze", vocabSize: 1024, contextLength: 4096 });
  return { asked, bodies, replies };
}

it("job-inline-100 asks for the results of a job that computes nothing, once it is over", async () => {
  const { asked, bodies, replies } = await attacked("job-inline-100");
  const inline = Array.from({ length: 100 }, () => "GET /v1/batch/jobs/j?inline=true");
  expect(asked).toEqual(["POST /v1/batch/jobs", "GET /v1/batch/jobs/j", "GET /v1/batch/jobs/j", ...inline]);
  expect(replies).toHaveLength(100);
  const [{ requests }] = bodies as [{ requests: readonly { readonly body: object }[] }];
  expect(requests).toHaveLength(180);
  for (const { body } of requests) expect(body).toMatchObject({ echo: true, max_tokens: 0 });
});
