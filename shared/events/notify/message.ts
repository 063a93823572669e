import type { Trouble } from "./trouble.ts";

/** An event as people read it. */
export type Message = {
  readonly title: string;
  readonly lines: readonly string[];
  readonly isTrouble: boolean;
  /** Sent once a day while nothing changes; unset: sent each time. */
  readonly trouble?: Trouble | undefined;
  /** Whose newest backup says what is at stake. */
  readonly database?: string | undefined;
};

export const trouble = (title: string, lines: readonly string[], about?: Trouble): Message => ({
  title,
  lines,
  isTrouble: true,
  trouble: about,
});
export const news = (title: string, lines: readonly string[]): Message => ({
  title,
  lines,
  isTrouble: false,
});

/** Its first line; `where` is the namespace, as far as it is known. */
export function headOf({ isTrouble, title }: Message, where: string): string {
  return `${isTrouble ? "Problem" : "News"}: ${title}${where === "" ? "" : ` (${where})`}`;
}
