import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** `dormouse console` as a process. */
export type ConsoleProcess = AsyncDisposable & {
  /** With the key that is good now. */
  address(): Promise<string>;
  readonly origin: string;
  readonly said: () => string;
  end(signal: NodeJS.Signals): Promise<number | null>;
  readonly ended: Promise<number | null>;
};

export async function startConsole(url: string): Promise<ConsoleProcess> {
  const args = ["cli/index.ts", "console", "--no-browser", "--url", url];
  const env = { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent" };
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      listeners.forEach((look) => look());
    });
  const ended = once(child, "exit").then(([code]) => code as number | null);
  let used = 0;
  /** Each is good once. */
  const next = () =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = Array.from(said.matchAll(/http:\/\/127\.0\.0\.1:\d+\/#\S+/g))[used]?.[0];
        if (found === undefined) return;
        used += 1;
        listeners.delete(look);
        resolve(found);
      };
      listeners.add(look);
      look();
      void ended.then((code) => reject(new Error(`the console ended with ${code}: ${said}`)));
    });
  const first = await next();
  used = 0;
  return {
    origin: new URL(first).origin,
    address: next,
    said: () => said,
    ended,
    end(signal) {
      child.kill(signal);
      return ended;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
