import { chromium, type Browser } from "playwright-core";
import { lackOfProgram } from "./debian.ts";

const PROGRAM = "/usr/bin/chromium";

/** Why there is no browser here, or nothing: Debian's, which is installed where it may be. */
export function lackOfBrowser(): Promise<string | undefined> {
  return lackOfProgram("chromium", PROGRAM);
}

export function startBrowser(): Promise<Browser> {
  // The sandbox of Chromium refuses root; what it is shown here is our own.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: PROGRAM, args });
}
