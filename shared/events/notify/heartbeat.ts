import type { Problem } from "../../errors.ts";
import { askHttp, type HttpRequest, type Way } from "../http-ask.ts";
import { describeFailure, describeRefusal } from "../sink-fault.ts";

export type Beat =
  { readonly state: "start" | "success" } | { readonly state: "fail"; readonly problem: Problem };
type Asked = { readonly url: string; readonly request: HttpRequest };

const TIMEOUT_MS = 5_000;

/**
 * Tells a monitor that a run began or ended: healthchecks.io and what speaks like it by default; push monitors of Uptime Kuma
 * (`/api/push/`) and telemetry of Cronitor (`cronitor.link`) by their URL. Rejects with the monitor's host and why.
 */
export async function beat(url: string, what: Beat, way: Way, signal: AbortSignal): Promise<void> {
  const asked = requestOf(new URL(url), what);
  if (asked === undefined) return;
  const why = await describeFault(asked, way, signal);
  if (why !== undefined) throw new Error(`${new URL(url).host}: ${why}`);
}

async function describeFault({ url, request }: Asked, way: Way, signal: AbortSignal) {
  let why: string | undefined;
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
      why = describeRefusal(await askHttp(url, request, { way }, limit))?.why;
      if (why === undefined) return undefined;
    } catch (error) {
      signal.throwIfAborted();
      why = describeFailure(error).why;
    }
  }
  return why;
}

function requestOf(url: URL, what: Beat): Asked | undefined {
  const text = what.state === "fail" ? `${what.problem.message} (${what.problem.code})` : "";
  if (url.pathname.includes("/api/push/")) {
    if (what.state === "start") return undefined;
    url.searchParams.set("status", what.state === "fail" ? "down" : "up");
    url.searchParams.set("msg", text === "" ? "OK" : text.slice(0, 200));
    return { url: url.href, request: { method: "GET", headers: {} } };
  }
  if (url.hostname === "cronitor.link") {
    url.searchParams.set("state", { start: "run", success: "complete", fail: "fail" }[what.state]);
    if (text !== "") url.searchParams.set("message", text.slice(0, 2_000));
    return { url: url.href, request: { method: "GET", headers: {} } };
  }
  const suffix = { start: "/start", success: "", fail: "/fail" }[what.state];
  url.pathname = url.pathname.replace(/\/$/, "") + suffix;
  const hint = what.state === "fail" && what.problem.hint !== undefined ? `\n${what.problem.hint}` : "";
  return {
    url: url.href,
    request: { method: "POST", headers: { "content-type": "text/plain; charset=utf-8" }, body: text + hint },
  };
}
