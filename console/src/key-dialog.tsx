import { useEffect, useRef, useState } from "preact/hooks";
import { credential, refusal, use } from "./api/access.ts";
import { hello } from "./api/live.ts";
import { Icon } from "./parts/icon.tsx";

/** Asks for the key. `reason`: why, in the gateway's words. */
export function KeyDialog({ reason }: { readonly reason: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  useEffect(() => dialog.current?.showModal(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    if (typed.trim() !== "") use(typed);
  };
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="key-title" onCancel={() => (refusal.value = null)}>
      <form onSubmit={submit}>
        <h2 id="key-title">API key</h2>
        <p>{reason}</p>
        <label>
          Key, or the cluster's secret
          <input
            type="password"
            autocomplete="off"
            spellcheck={false}
            placeholder="rhone_sk_…"
            pattern="\s*[!-~]+\s*"
            title="Letters, digits and signs of ASCII, without blanks"
            value={typed}
            onInput={({ currentTarget }) => setTyped(currentTarget.value)}
          />
        </label>
        <p class="hint">It is kept in this tab until it closes, and sent to this gateway alone.</p>
        <div class="actions">
          <button type="submit" class="primary" disabled={typed.trim() === ""}>
            Use this key
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** Whose key is used, and a way to use another one. */
export function SignedIn() {
  const { name = "", isAdmin = false } = hello.value?.caller ?? {};
  if (credential.value === "") {
    const ask = () => {
      refusal.value = "With a key, or the cluster's secret, the console also shows names and addresses.";
    };
    return (
      <button type="button" class="quiet" onClick={ask} aria-label="No key: use one">
        <Icon name="keys" />
        <span class="wide-only">No key</span>
      </button>
    );
  }
  const whose = name === "" ? "The cluster's secret" : `${name}${isAdmin ? " (admin)" : ""}`;
  return (
    <button
      type="button"
      class="quiet"
      onClick={() => use("")}
      aria-label={`${whose}: forget the key`}
      title="Forget the key"
    >
      <Icon name="keys" />
      <span class="wide-only">{whose}</span>
    </button>
  );
}
