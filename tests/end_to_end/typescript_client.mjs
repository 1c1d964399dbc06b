// A client of the TypeScript Agent SDK. Plays one scenario and prints, one JSON value a line, all that it saw.
//
//     node typescript_client.mjs SDK-FOLDER SCENARIO CLAUDE PROJECT
//
// SDK-FOLDER holds node_modules; CLAUDE is what pathToClaudeCodeExecutable gets; PROJECT is the working directory.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [sdkFolder, scenario, claude, project] = process.argv.slice(2);
const require = createRequire(join(sdkFolder, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { query, tool, createSdkMcpServer } = await load("@anthropic-ai/claude-agent-sdk");
const { z } = await load("zod");

const tell = (what, value) => process.stdout.write(JSON.stringify({ what, value }) + "\n");
const common = { pathToClaudeCodeExecutable: claude, cwd: project, settingSources: [] };

/** Prompts that are given one by one, each when the client says so. */
class Prompts {
  #waiting = [];
  #wake = () => {};
  #done = false;

  say(text) {
    this.#waiting.push({ type: "user", message: { role: "user", content: text }, parent_tool_use_id: null });
    this.#wake();
  }

  end() {
    this.#done = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#waiting.length > 0) yield this.#waiting.shift();
      if (this.#done) return;
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }
}

/** Have the given turns one after the other, with something to do before and something to do at each message. */
async function converse(turns, options, { before = async () => {}, onMessage = async () => {} } = {}) {
  const prompts = new Prompts();
  const conversation = query({ prompt: prompts, options: { ...common, ...options } });
  const rest = [...turns];
  await before(conversation);
  prompts.say(rest.shift());
  for await (const message of conversation) {
    tell("message", message);
    await onMessage(message, conversation);
    if (message.type !== "result") continue;
    if (rest.length > 0) prompts.say(rest.shift());
    else prompts.end();
  }
}

const adder = tool("add", "Add two numbers", { a: z.number(), b: z.number() }, async ({ a, b }) => ({
  content: [{ type: "text", text: String(a + b) }],
}));

const scenarios = {
  turns: () => converse(["A first question?", "A second question?"], { includePartialMessages: true }),

  single: async () => {
    for await (const message of query({ prompt: "A first question?", options: common })) tell("message", message);
  },

  allow: () =>
    converse(["Please write it."], {
      canUseTool: async (name, input) => {
        tell("asked", name);
        return { behavior: "allow", updatedInput: { ...input, content: "changed\n" } };
      },
    }),

  deny: () =>
    converse(["Please write it."], { canUseTool: async () => ({ behavior: "deny", message: "not today" }) }),

  hooks: () => {
    const hook = async (input) => {
      tell("hook", input.hook_event_name);
      return {};
    };
    const kinds = ["PreToolUse", "PostToolUse", "UserPromptSubmit", "Stop"];
    return converse(["Please write it."], {
      permissionMode: "acceptEdits",
      includeHookEvents: true,
      hooks: Object.fromEntries(kinds.map((kind) => [kind, [{ hooks: [hook] }]])),
    });
  },

  mcp: () =>
    converse(["Please add them."], {
      mcpServers: { calc: createSdkMcpServer({ name: "calc", version: "1.0.0", tools: [adder] }) },
      allowedTools: ["mcp__calc__add"],
    }),

  interrupt: () => {
    let interrupted = false;
    return converse(["Tell a long story.", "Now a short one."], { includePartialMessages: true }, {
      onMessage: async (message, conversation) => {
        if (interrupted || message.event?.type !== "content_block_delta") return;
        interrupted = true;
        tell("interrupt", await conversation.interrupt());
      },
    });
  },

  control: () =>
    converse(["A first question?"], {}, {
      before: async (conversation) => {
        tell("commands", await conversation.supportedCommands());
        tell("models", await conversation.supportedModels());
        tell("account", await conversation.accountInfo());
        tell("servers", await conversation.mcpServerStatus());
        await conversation.setPermissionMode("acceptEdits");
        await conversation.setModel("claude-haiku-4-5");
        await conversation.setMaxThinkingTokens(null);
      },
    }),

  subagent: () =>
    converse(["Please delegate."], {
      agents: { counter: { description: "Counts things", prompt: "You count.", tools: ["Bash"] } },
    }),

  structured: () =>
    converse(["What is the largest city?"], {
      outputFormat: {
        type: "json_schema",
        schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    }),

  resume: async () => {
    let session;
    for await (const message of query({ prompt: "A first question?", options: common })) session = message.session_id;
    const options = { ...common, resume: session };
    for await (const message of query({ prompt: "A second question?", options })) tell("message", message);
  },

  api_error: () => converse(["A bad question?"], {}),

  acted: () => {
    const canUseTool = async (name, input, { signal }) => {
      tell("asked", name);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      tell("withdrawn", name);
      return { behavior: "allow", updatedInput: input };
    };
    return converse(["Please write it.", "Tell a long story.", "Now a short one."], { canUseTool });
  },

  abort: async () => {
    const abortController = new AbortController();
    const options = { ...common, includePartialMessages: true, abortController };
    for await (const message of query({ prompt: "Tell a long story.", options })) {
      if (message.event?.type === "content_block_delta") abortController.abort();
    }
  },
};

try {
  await scenarios[scenario]();
} catch (error) {
  tell("error", { name: error.name, message: error.message });
}
