import { useEffect, useRef } from "preact/hooks";
import { refusal } from "./api/access.ts";
import { hello, link } from "./api/live.ts";
import { KeyDialog, SignedIn } from "./key-dialog.tsx";
import { BatchesPage } from "./pages/batches/batches-page.tsx";
import { ChatPage } from "./pages/chat/chat-page.tsx";
import { ClusterPage } from "./pages/cluster/cluster-page.tsx";
import { KeysPage } from "./pages/keys/keys-page.tsx";
import { PlanPage } from "./pages/plan/plan-page.tsx";
import { RequestsPage } from "./pages/requests/requests-page.tsx";
import { Icon } from "./parts/icon.tsx";
import { Notice } from "./parts/notice.tsx";
import { nextTheme, theme } from "./parts/theme.ts";
import { PAGES, type PageName, page, TITLES } from "./route.ts";

const CONTENT: Readonly<Record<PageName, () => preact.JSX.Element>> = {
  cluster: ClusterPage,
  chat: ChatPage,
  batches: BatchesPage,
  plan: PlanPage,
  keys: KeysPage,
  requests: RequestsPage,
};

export function App() {
  const current = page.value;
  const Content = CONTENT[current];
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${TITLES[current]} · Rhone`;
  }, [current]);
  return (
    <div class="shell">
      <Rail current={current} onSkip={() => heading.current?.focus()} />
      <main class={`page page-${current}`}>
        <h1 ref={heading} tabIndex={-1}>
          {TITLES[current]}
        </h1>
        <LinkNotice />
        <Content />
      </main>
      {refusal.value !== null && <KeyDialog reason={refusal.value} />}
    </div>
  );
}

interface RailProps {
  readonly current: PageName;
  /** Takes the keyboard past the links. */
  readonly onSkip: () => void;
}

function Rail({ current, onSkip }: RailProps) {
  const models = hello.value?.gateway.models ?? [];
  return (
    <header class="rail">
      <a class="skip" href={`#/${current}`} onClick={onSkip}>
        Skip to the content
      </a>
      <div class="brand">
        <Wave />
        <span>Rhone</span>
        <small title={models.join(", ")}>{models[0] ?? ""}</small>
      </div>
      <nav aria-label="Pages">
        {PAGES.map((name) => (
          <a key={name} href={`#/${name}`} aria-current={name === current ? "page" : undefined}>
            <Icon name={name} />
            <span>{TITLES[name]}</span>
          </a>
        ))}
      </nav>
      <div class="rail-foot">
        <LinkState />
        <SignedIn />
        <button type="button" class="quiet" onClick={nextTheme} aria-label={`${THEME_WORDS[theme.value]}: change`}>
          <Icon name={theme.value} />
          <span class="wide-only">{THEME_WORDS[theme.value]}</span>
        </button>
      </div>
    </header>
  );
}

const THEME_WORDS = { auto: "System colours", light: "Light", dark: "Dark" } as const;

const LINK_WORDS = { connecting: "Connecting", live: "Live", lost: "Connection lost", refused: "Key needed" } as const;

const LinkState = () => (
  <div class={`link link-${link.value.state}`} role="status">
    <i />
    {LINK_WORDS[link.value.state]}
  </div>
);

function LinkNotice() {
  const { value } = link;
  if (value.state !== "lost") return null;
  return <Notice tone="bad">{value.problem} What is shown may be old; trying again.</Notice>;
}

const Wave = () => (
  <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
    <rect width="32" height="32" rx="7" fill="#123047" />
    <path
      d="M6 12c5-5 8 5 13 0s6-2 7-1M6 20c5-5 8 5 13 0s6-2 7-1"
      fill="none"
      stroke="#7fd1e8"
      stroke-width="3"
      stroke-linecap="round"
    />
  </svg>
);
