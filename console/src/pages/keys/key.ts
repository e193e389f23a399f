/** As GET /v1/keys has it. */
export interface Key {
  readonly id: string;
  readonly name: string;
  /** null: the gateway's; 0: none. */
  readonly requests_per_minute: number | null;
  readonly tokens_per_minute: number | null;
  readonly admin: boolean;
  /** Unix seconds. */
  readonly created_at: number;
}

/** A key that was just made, with the secret that is shown once. */
export interface MadeKey extends Key {
  readonly secret: string;
}
