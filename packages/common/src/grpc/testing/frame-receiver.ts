import { hostPort } from "../../config/host-address.js";
import { Condition } from "../../lifecycle/condition.js";
import type { Security } from "../../security/security.js";
import { PLAINTEXT } from "../../testing/plaintext.js";
import { GrpcServer } from "../channel.js";
import { type FrameReceiver as FrameHandler, flowHandler } from "../flow-server.js";
import { type Frame, pipelineService } from "../services.js";

interface ReceiverOptions {
  readonly host?: string | undefined;
  readonly security?: Security | undefined;
  /** Called with each frame that is kept. */
  readonly accept?: FrameHandler["accept"];
}

/** The receiving end of hops, on a free port: keeps the frames of all streams, in order of arrival. */
export class TestReceiver {
  readonly frames: Frame[];
  /** The streams that ended, by number, in order of opening. */
  readonly ended: number[];
  readonly address: string;
  readonly #server: GrpcServer;
  readonly #changed: Condition;

  private constructor(
    server: GrpcServer,
    received: Pick<TestReceiver, "frames" | "ended" | "address">,
    changed: Condition,
  ) {
    this.#server = server;
    this.address = received.address;
    this.#changed = changed;
    this.frames = received.frames;
    this.ended = received.ended;
  }

  static async open(options: ReceiverOptions = {}): Promise<TestReceiver> {
    const { host = "127.0.0.1", security = PLAINTEXT, accept } = options;
    const changed = new Condition();
    const received = { frames: [] as Frame[], ended: [] as number[] };
    let streams = 0;
    const flow = flowHandler(() => {
      const stream = streams++;
      const add = <T>(list: T[], item: T): void => {
        list.push(item);
        changed.notify();
      };
      return {
        accept: (frame) => {
          add(received.frames, frame);
          return accept?.(frame);
        },
        ended: () => add(received.ended, stream),
      };
    });
    const server = await GrpcServer.open({ host, port: 0, security }, (services) =>
      services.addService(pipelineService, { flow }),
    );
    return new TestReceiver(server, { ...received, address: hostPort(host, server.port) }, changed);
  }

  /** Resolves when the condition holds; it is checked after every frame and every end. */
  async until(condition: () => boolean): Promise<void> {
    for (;;) {
      const { version } = this.#changed;
      if (condition()) return;
      await this.#changed.changedSince(version);
    }
  }

  /** Resolves with all frames when there are `count` of them. */
  async received(count: number): Promise<readonly Frame[]> {
    await this.until(() => this.frames.length >= count);
    return this.frames;
  }

  close(): void {
    this.#server.close();
  }
}
