import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";

const CHANNEL = "http.client.request.start";

type SdkRequest = { readonly method: string; readonly path: string };

/** The requests that the SDK makes in this process, to whatever store; each once, also where it is passed on. */
export function watchSdk(): { seen(): readonly SdkRequest[]; [Symbol.dispose](): void } {
  const seen = new Map<string, SdkRequest>();
  const note = (message: unknown) => {
    const { request } = message as { request: ClientRequest };
    const id = request.getHeader("amz-sdk-invocation-id");
    if (id !== undefined) seen.set(String(id), { method: request.method, path: request.path });
  };
  subscribe(CHANNEL, note);
  return {
    seen: () => [...seen.values()],
    [Symbol.dispose]: () => void unsubscribe(CHANNEL, note),
  };
}
