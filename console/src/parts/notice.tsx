import type { ComponentChildren } from "preact";

interface NoticeProps {
  readonly tone: "warn" | "bad" | "plain";
  readonly children: ComponentChildren;
}

/** Something that the reader has to know now; it is read aloud when it appears. */
export const Notice = ({ tone, children }: NoticeProps) => (
  <div class={`notice notice-${tone}`} role={tone === "bad" ? "alert" : "status"}>
    {children}
  </div>
);
