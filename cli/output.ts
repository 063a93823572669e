import { stripVTControlCharacters, styleText } from "node:util";
import { plainText } from "./text/units.ts";

type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan";

/** Where the program writes: what was asked for on stdout, everything else on stderr. */
export type Output = {
  /** Prompts can be asked, and a line can be drawn again. */
  readonly isInteractive: boolean;
  readonly isJson: boolean;
  /** A browser can be opened. */
  readonly hasDesktop: boolean;
  readonly line: (text?: string) => void;
  /** What a person watches and a script does not need; `--quiet` leaves it out. */
  readonly note: (text: string) => void;
  /** Never left out. */
  readonly complain: (text: string) => void;
  readonly json: (value: unknown) => void;
  /** Draws the last line again, where there is a terminal. */
  readonly redraw: (text: string | undefined) => void;
  readonly style: (style: Style, text: string) => string;
};

type Streams = {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
};
type Asked = { readonly json: boolean; readonly quiet: boolean };

export function outputTo(
  { stdin, stdout, stderr }: Streams,
  env: NodeJS.ProcessEnv,
  { json, quiet }: Asked,
): Output {
  const isPlain = isSet(env["NO_COLOR"]) || isSet(env["CI"]) || env["TERM"] === "dumb";
  const isTerminal = stdout.isTTY && stderr.isTTY && !isPlain;
  let isDrawn = false;
  const clear = () => {
    if (isDrawn) stderr.write("\r\x1b[K");
    isDrawn = false;
  };
  const write = (stream: NodeJS.WriteStream, text: string) => {
    clear();
    stream.write(`${isTerminal ? text : stripVTControlCharacters(text)}\n`);
  };
  return {
    isInteractive: stdin.isTTY && stdout.isTTY && !json && !isSet(env["CI"]),
    isJson: json,
    hasDesktop: stdout.isTTY && !isSet(env["CI"]) && hasDesktop(env),
    line: (text = "") => (json ? undefined : write(stdout, text)),
    note: (text) => (quiet || json ? undefined : write(stderr, text)),
    complain: (text) => write(stderr, text),
    json: (value) => void stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    redraw(text) {
      if (!isTerminal || quiet || json) return;
      clear();
      if (text === undefined) return;
      stderr.write(text.slice(0, Math.max(20, (stderr.columns || 80) - 1)));
      isDrawn = true;
    },
    style: (style, text) => (isTerminal ? styleText(style, text, { validateStream: false }) : text),
  };
}

function hasDesktop(env: NodeJS.ProcessEnv): boolean {
  return process.platform !== "linux" || isSet(env["DISPLAY"]) || isSet(env["WAYLAND_DISPLAY"]);
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

/** Columns as wide as their widest cell; numbers to the right. */
export function table(
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
): string[] {
  const plain = rows.map((row) => row.map(plainText));
  const widths = (plain[0] ?? []).map((_, column) =>
    Math.max(...plain.map((row) => row[column]?.length ?? 0)),
  );
  return plain.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return right.has(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
