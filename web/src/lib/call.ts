/** One way to speak with the server: JSON in, JSON out, errors as `Refused`, no network as `Unreachable`. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string,
    readonly param: string,
    readonly retryAfter: number,
  ) {
    super(message);
  }
}

export class Unreachable extends Error {
  constructor() {
    super('The server cannot be reached. What you rate is kept here and sent later.');
  }
}

type Listener = (reached: boolean) => void;
let csrfCookie = 'redraft_csrf';
let heard: Listener = () => {};

/** The name of the cookie whose value goes into the header of every write. */
export function useCsrfCookie(name: string): void {
  csrfCookie = name;
}

/** Be told after each call whether the server was reached. */
export function onReach(listener: Listener): void {
  heard = listener;
}

function csrf(): Record<string, string> {
  const part = document.cookie.split('; ').find((item) => item.startsWith(`${csrfCookie}=`));
  return part ? { 'X-CSRF-Token': decodeURIComponent(part.slice(csrfCookie.length + 1)) } : {};
}

async function send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response> {
  const writes = method !== 'GET';
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(writes ? csrf() : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    heard(false);
    throw new Unreachable();
  }
  heard(true);
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<Refused> {
  let said: { error?: { message?: string; code?: string | null; param?: string | null } } = {};
  try {
    said = await response.json();
  } catch {
    // A proxy between may answer with a page of its own; the status says enough then.
  }
  const { message, code, param } = said.error ?? {};
  const wait = Number(response.headers.get('Retry-After') ?? 0);
  return new Refused(response.status, message ?? `The server answered ${response.status}.`, code ?? '', param ?? '', wait);
}

/** Call a route and read its JSON; a route that answers 204 gives undefined. */
export async function call<T>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T> {
  const response = await send(method, path, body, headers);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Call a route and read its bytes, such as an archive. */
export async function download(path: string): Promise<Blob> {
  return (await send('GET', path)).blob();
}

/** Follow the server's events: by the name of each what to do with its data. */
export function listen(path: string, heard: Record<string, (data: never) => void>): EventSource {
  const events = new EventSource(path);
  for (const [name, act] of Object.entries(heard)) {
    events.addEventListener(name, (event) => act(JSON.parse((event as MessageEvent<string>).data) as never));
  }
  return events;
}

/** A path with a query of those values that are not empty. */
export function address(path: string, query: Record<string, string | number | boolean | null | undefined>): string {
  const given = Object.entries(query).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** What to tell a person about something that went wrong. */
export function inWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
