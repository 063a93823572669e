import { render } from "preact";
import { enter } from "./api.ts";
import { App } from "./app.tsx";
import { Trouble } from "./parts/trouble.tsx";

async function main(root: HTMLElement): Promise<void> {
  try {
    await enter();
    render(<App />, root);
  } catch (error) {
    render(
      <main>
        <h1>Dormouse</h1>
        <Trouble error={error} />
      </main>,
      root,
    );
  }
}

const root = document.getElementById("page");
if (root !== null) void main(root);
