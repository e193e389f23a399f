import { newApiKey } from "@rhone/common";
import { expect, it, onTestFinished } from "vitest";
import { fakeGateway, hello } from "../testing/fake-gateway.js";

const keyOf = (name: string) => newApiKey({ name, requestsPerMinute: null, tokensPerMinute: null });
const mine = keyOf("mine");
const mineToo = keyOf("mine");
const theirs = keyOf("theirs");

function gateway() {
  const { app, jobs, cancelled } = fakeGateway(hello, "ready", { keys: [mine.key, mineToo.key, theirs.key] });
  onTestFinished(() => app.close());
  const as = ({ secret }: typeof mine) => {
    const headers = { authorization: `Bearer ${secret}` };
    return {
      get: (url: string) => app.inject({ url, headers }),
      remove: (url: string) => app.inject({ method: "DELETE", url, headers }),
      post: (url: string, payload: object) => app.inject({ method: "POST", url, headers, payload }),
      upload: async (): Promise<string> => {
        const form = `--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--x\r\ncontent-disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n{"custom_id":"a"}\r\n--x--\r\n`;
        const type = { "content-type": "multipart/form-data; boundary=x" };
        const sent = await app.inject({
          method: "POST",
          url: "/v1/files",
          headers: { ...headers, ...type },
          payload: form,
        });
        return sent.json().id;
      },
    };
  };
  return { as, jobs, cancelled };
}

const idsOf = (response: { json(): { data: { id: string }[] } }) => response.json().data.map(({ id }) => id);

it("a file is its owner's alone, whichever of their keys it comes with", async () => {
  const { as } = gateway();
  const id = await as(mine).upload();
  for (const path of ["", "/content"]) {
    expect((await as(mineToo).get(`/v1/files/${id}${path}`)).statusCode).toBe(200);
    expect((await as(theirs).get(`/v1/files/${id}${path}`)).statusCode).toBe(404);
  }
  expect(idsOf(await as(mineToo).get("/v1/files"))).toEqual([id]);
  expect(idsOf(await as(theirs).get("/v1/files"))).toEqual([]);
  expect((await as(theirs).remove(`/v1/files/${id}`)).statusCode).toBe(404);
  expect((await as(mine).remove(`/v1/files/${id}`)).statusCode).toBe(200);
});

it("a batch is its owner's alone, and reads no other's file", async () => {
  const { as } = gateway();
  const order = { input_file_id: await as(mine).upload(), endpoint: "/v1/completions", completion_window: "24h" };
  expect((await as(theirs).post("/v1/batches", order)).statusCode).toBe(404);
  const { id } = (await as(mine).post("/v1/batches", order)).json();
  for (const place of ["/v1/batches", "/v1/batch/jobs"]) {
    expect(idsOf(await as(mine).get(place))).toEqual([id]);
    expect(idsOf(await as(theirs).get(place))).toEqual([]);
    expect((await as(mine).get(`${place}/${id}`)).statusCode).toBe(200);
    expect((await as(theirs).get(`${place}/${id}`)).statusCode).toBe(404);
    expect((await as(theirs).post(`${place}/${id}/cancel`, {})).statusCode).toBe(404);
  }
  expect((await as(mine).get(`/v1/batches/${id}`)).json().cancelling_at).toBeNull();
});

it("batches are listed in pages of the owner's own", async () => {
  const { as } = gateway();
  const order = async (who: typeof mine) => {
    const input_file_id = await as(who).upload();
    const batch = { input_file_id, endpoint: "/v1/completions", completion_window: "24h" };
    return (await as(who).post("/v1/batches", batch)).json().id as string;
  };
  const ids: string[] = [];
  for (let round = 0; round < 3; round++) {
    ids.push(await order(mine));
    await order(theirs);
    // Ids tell milliseconds apart.
    await expect.poll(() => Date.now().toString(16)).not.toBe(Number(`0x${ids.at(-1)?.slice(6, 18)}`).toString(16));
  }
  ids.reverse();
  const first = await as(mine).get("/v1/batches?limit=2");
  expect([idsOf(first), first.json().has_more]).toEqual([ids.slice(0, 2), true]);
  const rest = await as(mine).get(`/v1/batches?limit=2&after=${ids[1]}`);
  expect([idsOf(rest), rest.json().has_more]).toEqual([ids.slice(2), false]);
});

it("a stream is its owner's alone", async () => {
  const { as, cancelled } = gateway();
  const request = { prompt: "a", stream: true, stream_options: { resumable: true } };
  const url = String((await as(mine).post("/v1/completions", request)).headers["content-location"]);
  expect((await as(theirs).get(url)).statusCode).toBe(404);
  expect((await as(theirs).remove(url)).statusCode).toBe(404);
  expect(cancelled).toEqual([]);
  expect((await as(mineToo).get(url)).statusCode).toBe(200);
  expect((await as(mine).remove(url)).statusCode).toBe(200);
});
