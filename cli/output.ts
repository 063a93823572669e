import { styleText } from "node:util";
import { plainJson, plainText } from "./text/units.ts";

type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan";
type Styled = { readonly style: Style; readonly text: string };
/** Of one line. */
type Part = string | Styled;

/**
 * Where the program writes: what was asked for on stdout, everything else on stderr. What it is given may come from a volume to
 * which others write: none of their escape sequences reaches the terminal, from any command.
 */
export type Output = {
  /** Prompts can be asked, and a line can be drawn again. */
  readonly isInteractive: boolean;
  readonly isJson: boolean;
  /** A browser can be opened. */
  readonly hasDesktop: boolean;
  readonly line: (...parts: readonly Part[]) => void;
  /** What a person watches and a script does not need; `--quiet` leaves it out. */
  readonly note: (...parts: readonly Part[]) => void;
  /** Never left out. */
  readonly complain: (...parts: readonly Part[]) => void;
  readonly json: (value: unknown) => void;
  /** Draws the last line again, where there is a terminal. */
  readonly redraw: (text: string | undefined) => void;
  readonly style: (style: Style, text: string) => Styled;
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
  const painted = (part: Part) => {
    if (typeof part === "string") return plainText(part);
    const text = plainText(part.text);
    return isTerminal ? styleText(part.style, text, { validateStream: false }) : text;
  };
  const write = (stream: NodeJS.WriteStream, parts: readonly Part[]) => {
    clear();
    stream.write(`${parts.map(painted).join("")}\n`);
  };
  return {
    isInteractive: stdin.isTTY && stdout.isTTY && !json && !isSet(env["CI"]),
    isJson: json,
    hasDesktop: stdout.isTTY && !isSet(env["CI"]) && hasDesktop(env),
    line: (...parts) => (json ? undefined : write(stdout, parts)),
    note: (...parts) => (quiet || json ? undefined : write(stderr, parts)),
    complain: (...parts) => write(stderr, parts),
    json: (value) => void stdout.write(`${plainJson(value)}\n`),
    redraw(text) {
      if (!isTerminal || quiet || json) return;
      clear();
      if (text === undefined) return;
      stderr.write(plainText(text).slice(0, Math.max(20, (stderr.columns || 80) - 1)));
      isDrawn = true;
    },
    style: (style, text) => ({ style, text }),
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
  const plain = rows.map((row) => row.map((cell) => plainText(cell).replaceAll("\n", " ")));
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
