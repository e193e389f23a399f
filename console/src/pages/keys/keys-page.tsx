import { useEffect, useState } from "preact/hooks";
import { credential } from "../../api/access.ts";
import { ask, askJson, problemOf, Refused } from "../../api/ask.ts";
import { hello } from "../../api/live.ts";
import { moment, number } from "../../format.ts";
import { Command, CopyButton } from "../../parts/copy.tsx";
import { Notice } from "../../parts/notice.tsx";
import { Pill } from "../../parts/pill.tsx";
import { Section } from "../../parts/section.tsx";
import type { Key, MadeKey } from "./key.ts";
import { NewKey } from "./new-key.tsx";

type Listed = { readonly keys: readonly Key[] } | { readonly problem: string; readonly isForbidden: boolean };

export function KeysPage() {
  const [listed, setListed] = useState<Listed | null>(null);
  const [made, setMade] = useState<MadeKey | null>(null);
  const [told, setTold] = useState("");
  const key = credential.value;
  const load = async () => {
    try {
      setListed({ keys: (await askJson<{ readonly data: readonly Key[] }>("/v1/keys")).data });
    } catch (thrown) {
      setListed({ problem: problemOf(thrown), isForbidden: thrown instanceof Refused && thrown.status === 403 });
    }
  };
  // Another key may see others.
  useEffect(() => void load(), [key]);
  const requiresKeys = hello.value?.gateway.requiresKeys ?? true;

  if (listed === null) return <p class="empty">Loading…</p>;
  if ("problem" in listed) {
    if (!listed.isForbidden) return <Notice tone="bad">{listed.problem}</Notice>;
    return (
      <Section title="For admins">
        <p class="hint">{listed.problem} On the machine that made the cluster:</p>
        <Command text="rhone keys create NAME --admin" what="the command that makes an admin's key" />
      </Section>
    );
  }
  const revoke = async (id: string) => {
    setTold("");
    try {
      await ask(`/v1/keys/${id}`, { method: "DELETE" });
      if (made?.id === id) setMade(null);
    } catch (thrown) {
      setTold(problemOf(thrown));
    }
    await load();
  };
  return (
    <>
      {!requiresKeys && (
        <Notice tone="warn">
          This gateway answers without a key. Start it with --auth keys to make it ask for one.
        </Notice>
      )}
      {made !== null && (
        <Notice tone="plain">
          <div class="made-key">
            <p>
              The secret of the key <b>{made.name}</b>. It is not shown again.
            </p>
            <div class="command">
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
              <code tabIndex={0}>{made.secret}</code>
              <CopyButton text={made.secret} what="the secret" />
            </div>
          </div>
        </Notice>
      )}
      <Section title="New key">
        <NewKey
          onMade={(key) => {
            setMade(key);
            void load();
          }}
        />
      </Section>
      {told !== "" && <Notice tone="bad">It was not revoked. {told}</Notice>}
      <Section title="Keys">
        {listed.keys.length === 0 ? (
          <p class="empty">There are none yet.</p>
        ) : (
          <KeyTable keys={listed.keys} onRevoke={(id) => void revoke(id)} />
        )}
      </Section>
    </>
  );
}

interface KeyTableProps {
  readonly keys: readonly Key[];
  readonly onRevoke: (id: string) => void;
}

const KeyTable = ({ keys, onRevoke }: KeyTableProps) => (
  <div class="table-scroll">
    <table class="table keys">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col" class="wide-only">
            Id
          </th>
          <th scope="col" class="right">
            Requests/min
          </th>
          <th scope="col" class="right">
            Tokens/min
          </th>
          <th scope="col" class="wide-only">
            Made
          </th>
          <th scope="col">
            <span class="unseen">Revoke</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <tr key={key.id}>
            <td>
              {key.name} {key.admin && <Pill tone="plain">admin</Pill>}
            </td>
            <td class="wide-only">
              <code>{key.id}</code>
            </td>
            <td class="right">{limit(key.requests_per_minute)}</td>
            <td class="right">{limit(key.tokens_per_minute)}</td>
            <td class="nowrap wide-only">{moment(key.created_at * 1000)}</td>
            <td class="right">
              <Revoke name={key.name} onRevoke={() => onRevoke(key.id)} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);

const limit = (perMinute: number | null): string => {
  if (perMinute === null) return "default";
  return perMinute === 0 ? "no limit" : number(perMinute);
};

/** Asks before it does. */
function Revoke({ name, onRevoke }: { readonly name: string; readonly onRevoke: () => void }) {
  const [isSure, setSure] = useState(false);
  if (!isSure) {
    return (
      <button type="button" class="quiet" aria-label={`Revoke ${name}`} onClick={() => setSure(true)}>
        Revoke
      </button>
    );
  }
  return (
    <button
      type="button"
      class="danger"
      aria-label={`Revoke ${name} for good`}
      onClick={onRevoke}
      onBlur={() => setSure(false)}
    >
      Revoke for good
    </button>
  );
}
