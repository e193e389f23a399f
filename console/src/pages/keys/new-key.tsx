import { useState } from "preact/hooks";
import { askJson, problemOf } from "../../api/ask.ts";
import { Notice } from "../../parts/notice.tsx";
import type { MadeKey } from "./key.ts";

/** A form for a key of somebody. */
export function NewKey({ onMade }: { readonly onMade: (key: MadeKey) => void }) {
  const [name, setName] = useState("");
  const [requests, setRequests] = useState("");
  const [tokens, setTokens] = useState("");
  const [isAdmin, setAdmin] = useState(false);
  const [told, setTold] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    const limits = { requests_per_minute: numberOf(requests), tokens_per_minute: numberOf(tokens) };
    try {
      onMade(await askJson<MadeKey>("/v1/keys", { body: { name, ...limits, admin: isAdmin } }));
      setName("");
      setTold("");
    } catch (thrown) {
      setTold(problemOf(thrown));
    }
  };
  return (
    <form class="new-key" onSubmit={(event) => void submit(event)}>
      <label>
        Name
        <input
          required
          maxLength={64}
          placeholder="Of a person or a program"
          autocomplete="off"
          value={name}
          onInput={({ currentTarget }) => setName(currentTarget.value)}
        />
      </label>
      <Limit label="Requests per minute" value={requests} onValue={setRequests} />
      <Limit label="Tokens per minute" value={tokens} onValue={setTokens} />
      <label class="check">
        <input type="checkbox" checked={isAdmin} onChange={({ currentTarget }) => setAdmin(currentTarget.checked)} />
        Admin
      </label>
      <button type="submit" class="primary" disabled={name.trim() === ""}>
        Make the key
      </button>
      {told !== "" && <Notice tone="bad">{told}</Notice>}
    </form>
  );
}

const numberOf = (typed: string): number | null => (typed.trim() === "" ? null : Number(typed));

interface LimitProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
}

const Limit = ({ label, value, onValue }: LimitProps) => (
  <label>
    {label}
    <input
      type="number"
      min={0}
      step={1}
      placeholder="default; 0: none"
      value={value}
      onInput={({ currentTarget }) => onValue(currentTarget.value)}
    />
  </label>
);
