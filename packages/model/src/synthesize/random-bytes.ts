import { type Cipher, createCipheriv, createHash } from "node:crypto";

/** An endless stream of bytes that depends on its seed only. AES in counter mode: processors make gigabytes of it per second. */
export class RandomBytes {
  readonly #cipher: Cipher;

  constructor(seed: string) {
    const key = createHash("sha256").update(seed).digest();
    this.#cipher = createCipheriv("aes-128-ctr", key.subarray(0, 16), key.subarray(16));
  }

  /** As many random bytes as `zeros` has; `zeros` must be all 0 and is not changed. */
  take(zeros: Uint8Array): Uint8Array {
    return this.#cipher.update(zeros);
  }
}
