import { EXIT, type Exit } from "../failure.ts";
import { openBrowser } from "../console/open-browser.ts";
import { serveConsole } from "../console/server.ts";
import type { Session } from "../session.ts";

/** Serves the page until Ctrl-C, or until the page ends it. */
export async function servePage(session: Session, { browser }: { readonly browser: boolean }): Promise<Exit> {
  const { output } = session;
  // Where there are no functions, it ends here and not on the page.
  await session.access.known();
  const { pageFiles } = await import("../console/page-files.ts");
  const interrupted = signalled();
  await using server = await serveConsole(session, await pageFiles(), (address) =>
    output.note(`in another tab: ${address}`),
  );
  const address = server.address();
  if (output.isJson) output.json({ address });
  else output.line(`The console is at ${address}`);
  output.line("The address is good once. Ctrl-C ends the console.");
  if (browser && output.hasDesktop) openBrowser(address);
  await Promise.race([interrupted, server.ended]);
  output.note("The console has ended. Runs go on by themselves.");
  return EXIT.good;
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}
