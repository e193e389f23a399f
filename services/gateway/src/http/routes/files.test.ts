import { connect } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { createLogger } from "@rhone/common";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { fakeGateway } from "../../testing/fake-gateway.js";
import { STORAGES } from "../../testing/test-storages.js";
import { hasTime } from "../../turns.js";

describe.each(STORAGES)("$place", ({ open }) => {
  async function gateway() {
    const storage = await open();
    const fake = fakeGateway(undefined, "ready", { storage });
    onTestFinished(() => fake.app.close());
    return { ...fake, storage };
  }

  interface Form {
    readonly content?: string;
    readonly [field: string]: string | undefined;
  }

  /** A form whose file comes first, as some clients send it. */
  function form({ content, ...fields }: Form) {
    const part = (about: string, value: string) =>
      `--x\r\ncontent-disposition: form-data; ${about}\r\n\r\n${value}\r\n`;
    const file = content === undefined ? "" : part('name="file"; filename="in.jsonl"', content);
    const others = Object.entries(fields).map(([name, value]) => part(`name="${name}"`, value ?? ""));
    return {
      headers: { "content-type": "multipart/form-data; boundary=x" },
      payload: `${file}${others.join("")}--x--\r\n`,
    };
  }

  const LINE = '{"custom_id":"a","method":"POST","url":"/v1/completions","body":{"prompt":"x"}}';

  describe("files", () => {
    it("come back as they were sent, and go", async () => {
      const { app } = await gateway();
      const sent = await app.inject({
        method: "POST",
        url: "/v1/files",
        ...form({ content: "a\nb", purpose: "batch" }),
      });
      const file = sent.json();
      expect(file).toMatchObject({
        object: "file",
        bytes: 3,
        filename: "in.jsonl",
        purpose: "batch",
        status: "processed",
        sample_type: "batch_request",
        source: "upload",
        num_lines: 2,
      });
      expect((await app.inject(`/v1/files/${file.id}`)).json()).toEqual(file);
      expect((await app.inject(`/v1/files/${file.id}/content`)).body).toBe("a\nb");
      expect((await app.inject("/v1/files?purpose=batch")).json()).toMatchObject({
        data: [file],
        has_more: false,
        total: 1,
      });
      const gone = await app.inject({ method: "DELETE", url: `/v1/files/${file.id}` });
      expect(gone.json()).toEqual({ id: file.id, object: "file", deleted: true });
      expect((await app.inject(`/v1/files/${file.id}`)).statusCode).toBe(404);
    });

    it("are listed newest first, in pages of either kind", async () => {
      const { app } = await gateway();
      const ids: string[] = [];
      for (const content of ["1", "2", "3"]) {
        const sent = await app.inject({ method: "POST", url: "/v1/files", ...form({ content, purpose: "batch" }) });
        ids.unshift(sent.json().id);
        // Ids tell milliseconds apart.
        await expect.poll(() => Date.now().toString(16)).not.toBe(Number(`0x${ids[0]?.slice(5, 17)}`).toString(16));
      }
      const listed = async (query: string) => (await app.inject(`/v1/files?${query}`)).json();
      expect(await listed(`limit=1&after=${ids[0]}`)).toMatchObject({ data: [{ id: ids[1] }], has_more: true });
      expect(await listed("page=1&page_size=2")).toMatchObject({ data: [{ id: ids[2] }], total: 3 });
      expect((await listed("order=asc")).first_id).toBe(ids[2]);
    });

    it.each([
      ["no purpose", form({ content: "a" }), 400, "purpose"],
      ["another purpose", form({ content: "a", purpose: "fine-tune" }), 400, "purpose"],
      ["no file", form({ purpose: "batch" }), 400, "file"],
      ["a short life", form({ content: "a", purpose: "batch", "expires_after[anchor]": "created_at" }), 400, "seconds"],
      ["too large a file", form({ content: "a".repeat(8193), purpose: "batch" }), 413, null],
      ["a form that ends early", { ...form({}), payload: "--x\r\ncontent-disposition: form-data" }, 400, null],
      ["JSON", { headers: { "content-type": "application/json" }, payload: "{}" }, 415, null],
    ])("refuses %s", async (_, request, status, param) => {
      const { app } = await gateway();
      const response = await app.inject({ method: "POST", url: "/v1/files", ...request });
      expect([response.statusCode, response.json().error.param]).toEqual([status, param]);
      expect((await app.inject("/v1/files")).json().data).toEqual([]);
    });

    it("beyond the bounds of a key are refused with the number, and leave nothing; a deleted one makes room", async () => {
      const { app, storage } = await gateway();
      const send = (content: string) =>
        app.inject({ method: "POST", url: "/v1/files", ...form({ content, purpose: "batch" }) });
      const sent = await Promise.all(["1", "2", "3", "4", "5", "6"].map(send));
      const [kept, refused] = [200, 400].map((status) => sent.filter(({ statusCode }) => statusCode === status));
      expect([kept?.length, refused?.length]).toEqual([5, 1]);
      expect(refused?.[0]?.json().error).toMatchObject({
        code: "file_limit_exceeded",
        message: expect.stringMatching(/would have 6 files, 5 at most \(--files-per-key\)\. Delete files/),
      });
      await expect.poll(async () => (await storage.list("files")).length).toBe(10);
      await app.inject({ method: "DELETE", url: `/v1/files/${kept?.[0]?.json().id}` });
      expect((await send("x".repeat(8000))).statusCode).toBe(200);
      await app.inject({ method: "DELETE", url: `/v1/files/${kept?.[1]?.json().id}` });
      const large = (await send("x".repeat(8000))).json().error;
      expect(large.message).toContain("bytes together, 12288 at most (--file-bytes-per-key)");
    });

    it("are made once for each idempotency key, whatever the boundary, and compared by all of the form", async () => {
      const { app, storage } = await gateway();
      const headers = { "content-type": "multipart/form-data; boundary=x", "idempotency-key": "k" };
      const send = (fields: Form, boundary = "x") => {
        const payload = form(fields).payload.replaceAll("--x", `--${boundary}`);
        const type = { "content-type": `multipart/form-data; boundary=${boundary}` };
        return app.inject({ method: "POST", url: "/v1/files", headers: { ...headers, ...type }, payload });
      };
      const first = await send({ content: "a\nb", purpose: "batch" });
      const repeated = await send({ content: "a\nb", purpose: "batch" }, "longer");
      expect([first.statusCode, repeated.headers["idempotent-replayed"]]).toEqual([200, "true"]);
      expect(repeated.json()).toEqual(first.json());
      const expiring = { "expires_after[anchor]": "created_at", "expires_after[seconds]": "3600" };
      for (const other of [
        { content: "a\nc", purpose: "batch" },
        { content: "a\nb", purpose: "batch", ...expiring },
        { content: "", purpose: "batch" },
      ]) {
        const refused = await send(other);
        expect([refused.statusCode, refused.json().error.code]).toEqual([422, "idempotency_key_reused"]);
      }
      const invalid = await send({ content: "a\nb", purpose: "batch", ...expiring, "expires_after[seconds]": "3599" });
      expect(invalid.statusCode).toBe(400);
      expect((await app.inject("/v1/files")).json().data).toHaveLength(1);
      await expect.poll(async () => (await storage.list("files")).length).toBe(2);
    });

    it.each([
      ["page", ""],
      ["page", "0x1"],
      ["page_size", "%201"],
      ["limit", "1e2"],
      ["limit", "true"],
    ])("a list by a number that is none is refused: %s=%s", async (field, value) => {
      const { app } = await gateway();
      const refused = await app.inject(`/v1/files?${field}=${value}`);
      expect([refused.statusCode, refused.json().error.param]).toEqual([400, field]);
      expect((await app.inject(`/v1/files?${field}=1`)).statusCode).toBe(200);
    });

    it("an id can't lead out of the folder", async () => {
      const { app } = await gateway();
      const ids = ["..%2Fopen", "file-..%2f..%2f..%2fetc", "file-0", "%2Fetc%2Fpasswd"];
      for (const id of ids) expect((await app.inject(`/v1/files/${id}/content`)).statusCode).toBe(404);
    });
  });

  describe("batches", () => {
    async function upload(app: ReturnType<typeof fakeGateway>["app"]): Promise<string> {
      return (
        await app.inject({ method: "POST", url: "/v1/files", ...form({ content: LINE, purpose: "batch" }) })
      ).json().id;
    }

    it("are made, listed, and cancelled in the shape of either API", async () => {
      const { app, post } = await gateway();
      const input_file_id = await upload(app);
      const order = { input_file_id, endpoint: "/v1/completions", completion_window: "24h", metadata: { a: "b" } };
      const made = (await post("/v1/batches", order)).json();
      expect(made).toMatchObject({
        object: "batch",
        status: "validating",
        ...order,
        errors: null,
        output_file_id: null,
      });
      expect(made.expires_at - made.created_at).toBe(24 * 3600);
      expect((await app.inject("/v1/batches")).json()).toMatchObject({
        data: [made],
        first_id: made.id,
        has_more: false,
      });
      expect((await app.inject("/v1/batch/jobs")).json()).toMatchObject({
        data: [{ id: made.id, status: "QUEUED" }],
        total: 1,
      });
      expect((await app.inject({ method: "DELETE", url: `/v1/files/${input_file_id}` })).statusCode).toBe(400);
      const cancelled = (await app.inject({ method: "POST", url: `/v1/batches/${made.id}/cancel` })).json();
      expect(cancelled).toMatchObject({ status: "cancelling", cancelling_at: expect.any(Number) });
      const job = (await app.inject(`/v1/batch/jobs/${made.id}`)).json();
      expect(job).toMatchObject({
        object: "batch",
        status: "CANCELLATION_REQUESTED",
        input_files: [input_file_id],
        errors: [],
      });
    });

    it.each([
      ["an endpoint without batches", { endpoint: "/v1/models" }, 400, "endpoint"],
      ["a window beyond a week", { completion_window: "169h" }, 400, "completion_window"],
      ["a window of nothing", { completion_window: "0h" }, 400, "completion_window"],
      ["a file that is not there", { input_file_id: "file-000000000000000000000000" }, 404, null],
    ])("%s: refused", async (_, change, status, param) => {
      const { app, post } = await gateway();
      const input_file_id = await upload(app);
      const order = { input_file_id, endpoint: "/v1/completions", completion_window: "24h", ...change };
      const response = await post("/v1/batches", order);
      expect([response.statusCode, response.json().error.param]).toEqual([status, param]);
    });

    it.each([
      ["/v1/batch/jobs?metadata=a", "metadata"],
      ["/v1/batch/jobs?agent_id=a", "agent_id"],
      ["/v1/batch/jobs?created_after=soon", "created_after"],
      ["/v1/batch/jobs?status=DONE", "status"],
      ["/v1/files?search=a", "search"],
      ["/v1/files?sample_type=batch_request", "sample_type"],
      ["/v1/files?after=zz", "after"],
      ["/v1/batches?after=file-0123456789abcdef01234567", "after"],
    ])("%s: a list that can't be filtered by %s says so", async (url, param) => {
      const { app } = await gateway();
      const response = await app.inject(url);
      expect([response.statusCode, response.json().error.param]).toEqual([400, param]);
    });

    it("inline is yes or no", async () => {
      const { app } = await gateway();
      const ask = async (inline: string) =>
        (await app.inject(`/v1/batch/jobs/batch_0123456789abcdef01234567?inline=${inline}`)).statusCode;
      expect(await Promise.all(["true", "1", "false", "0", "perhaps"].map(ask))).toEqual([404, 404, 404, 404, 400]);
    });

    it("jobs are listed that were made after a date", async () => {
      const { app, post } = await gateway();
      const { id, created_at } = (
        await post("/v1/batch/jobs", { endpoint: "/v1/completions", requests: [{ body: { prompt: "x" } }] })
      ).json();
      const madeAfter = async (date: string) =>
        (await app.inject(`/v1/batch/jobs?created_after=${encodeURIComponent(date)}`))
          .json()
          .data.map((job: { id: string }) => job.id);
      expect(await madeAfter(String(created_at))).toEqual([id]);
      expect(await madeAfter(new Date(created_at * 1000).toISOString())).toEqual([id]);
      expect(await madeAfter(new Date((created_at + 60) * 1000).toISOString())).toEqual([]);
    });

    it("a job's requests keep all digits of their seeds", async () => {
      const { app } = await gateway();
      const payload =
        '{"endpoint":"/v1/completions","requests":[{"body":{"prompt":"x","random_seed":9007199254740993}}]}';
      const headers = { "content-type": "application/json" };
      const job = (await app.inject({ method: "POST", url: "/v1/batch/jobs", headers, payload })).json();
      const { body } = await app.inject(`/v1/files/${job.input_files[0]}/content`);
      expect(body).toBe('{"body":{"prompt":"x","random_seed":9007199254740993}}\n');
    });

    it("a job's requests keep all digits of the arguments of earlier calls", async () => {
      const { app } = await gateway();
      const call = '{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"id": 9007199254740993}}}]}';
      const messages = `[${Array.from({ length: 10 }, () => call).join(",")}]`;
      const payload = `{"endpoint":"/v1/chat/completions","requests":[{"body":{"messages":${messages}}}]}`;
      const headers = { "content-type": "application/json" };
      const job = (await app.inject({ method: "POST", url: "/v1/batch/jobs", headers, payload })).json();
      const { body } = await app.inject(`/v1/files/${job.input_files[0]}/content`);
      expect(body).toBe(`{"body":{"messages":${messages}}}\n`);
    });

    it("a job needs files or requests, not both", async () => {
      const { post } = await gateway();
      const response = await post("/v1/batch/jobs", { endpoint: "/v1/completions" });
      expect([response.statusCode, response.json().error.param]).toEqual([400, "input_files"]);
      const both = { input_files: ["file-1"], requests: [{ body: { prompt: "x" } }] };
      const refused = await post("/v1/batch/jobs", { endpoint: "/v1/completions", ...both });
      expect([refused.statusCode, refused.json().error.param]).toEqual([400, "requests"]);
    });

    it("a list goes on behind a file that was deleted meanwhile", async () => {
      const { app } = await gateway();
      for (let made = 0; made < 4; made++) await upload(app);
      const { data, last_id } = (await app.inject("/v1/files?limit=2")).json();
      await app.inject({ method: "DELETE", url: `/v1/files/${last_id}` });
      const rest = (await app.inject(`/v1/files?limit=2&after=${last_id}`)).json();
      const ids = [...data, ...rest.data].map(({ id }: { id: string }) => id);
      expect([new Set(ids).size, rest.has_more]).toEqual([4, false]);
    });
  });

  it("whose bytes can't be read is a failure in the envelope, and not found if it was deleted meanwhile", async () => {
    const storage = await open();
    const { app, files } = fakeGateway(undefined, "ready", { storage });
    onTestFinished(() => app.close());
    const upload = form({ purpose: "batch", content: LINE });
    const { id } = (await app.inject({ method: "POST", url: "/v1/files", ...upload })).json();
    const failing = async function* (before: () => Promise<void>) {
      await before();
      yield* [];
      throw new Error("gone");
    };
    storage.read = () => Readable.from(failing(async () => {}));
    const lost = await app.inject(`/v1/files/${id}/content`);
    expect([lost.statusCode, lost.json().error.code]).toEqual([500, "internal_error"]);
    storage.read = () => Readable.from(failing(() => files.delete(id)));
    const deleted = await app.inject(`/v1/files/${id}/content`);
    expect([deleted.statusCode, deleted.json().error.code]).toEqual([404, "not_found"]);
  });

  it("whose client leaves before the first byte is no failure of the gateway", async () => {
    const storage = await open();
    const logger = createLogger({ service: "gateway", level: "silent" });
    const failures = vi.spyOn(logger, "error");
    const { app } = fakeGateway(undefined, "ready", { storage, logger });
    onTestFinished(() => app.close());
    const upload = form({ purpose: "batch", content: LINE });
    const { id } = (await app.inject({ method: "POST", url: "/v1/files", ...upload })).json();
    const late = new PassThrough();
    const read = vi.fn(() => late);
    storage.read = read;
    const { port } = new URL(await app.listen({ port: 0, host: "127.0.0.1" }));
    app.server.on("connection", (socket) => {
      socket.prependListener("close", () => {
        // Node's own listener, which aborts the request, then waits for a turn with time left.
        while (hasTime());
        late.write(LINE);
      });
    });
    const client = connect(Number(port), "127.0.0.1");
    client.write(`GET /v1/files/${id}/content HTTP/1.1\r\nhost: x\r\n\r\n`);
    await expect.poll(() => read.mock.calls.length).toBe(1);
    client.destroy();
    await expect.poll(() => late.destroyed).toBe(true);
    await setImmediate();
    expect(failures.mock.calls).toEqual([]);
  });
});
