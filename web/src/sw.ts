// The service worker: lets the page open and pictures be rated without network. It keeps no answers and sends none:
// the outbox of the page does that.
/// <reference lib="webworker" />
declare const self: ServiceWorkerGlobalScope;
declare const __FILES__: string[];
declare const __VERSION__: string;

const SHELL = `redraft-shell-${__VERSION__}`;
const PICTURES = 'redraft-pictures';
const MOST_PICTURES = 300;

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(SHELL)
      .then((cache) => cache.addAll(__FILES__))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith('redraft-shell-') && name !== SHELL).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate') event.respondWith(page(request));
  else if (request.destination === 'image' && url.pathname.includes('/pictures/')) event.respondWith(picture(request, url));
  else if (url.pathname.includes('/assets/')) event.respondWith(asset(request));
});

/** The page itself: the server's if it can be reached, else the kept one. */
async function page(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match('./')) ?? Response.error();
  }
}

/** Files with a hash in their name never change. */
async function asset(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? fetch(request);
}

/** A picture is kept by its path: the signature in the query changes, the picture does not. */
async function picture(request: Request, url: URL): Promise<Response> {
  const cache = await caches.open(PICTURES);
  try {
    const response = await fetch(request);
    if (response.ok) {
      await cache.put(url.pathname, response.clone());
      const kept = await cache.keys();
      await Promise.all(kept.slice(0, Math.max(0, kept.length - MOST_PICTURES)).map((old) => cache.delete(old)));
    }
    return response;
  } catch {
    return (await cache.match(url.pathname)) ?? Response.error();
  }
}
