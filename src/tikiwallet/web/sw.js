// Keeps the wallet's files on the phone, so that it starts without a network.
//
// The server puts two lines before this: VERSION, and FILES, a list of [address, hash]. A version is kept whole or not
// at all, since each file must have its hash; it takes over when the person says so, and never in the middle of a
// payment. A classic script and not a module, because older Firefox runs only those here.
/* global VERSION, FILES */
// @ts-nocheck: tsc knows a page or a worker, not both in one project.
const CACHE = `shell-${VERSION}`;
const INDEX = "./index.html";

async function keep() {
  const cache = await caches.open(CACHE);
  try {
    await Promise.all(
      FILES.map(async ([url, integrity]) => {
        const response = await fetch(new Request(url, { cache: "no-cache", integrity, credentials: "omit" }));
        if (!response.ok) throw new Error(`${url}: ${response.status}`);
        await cache.put(url, response);
      }),
    );
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

async function forgetOthers() {
  const others = (await caches.keys()).filter((name) => name.startsWith("shell-") && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request) {
  // Not by `open`: it would make anew what the next version, which is taking over, has just deleted.
  const wanted = request.mode === "navigate" ? INDEX : request;
  const kept = await caches.match(wanted, { cacheName: CACHE, ignoreSearch: true });
  return kept ?? fetch(request);
}

// "/start.html", the API's description and the operators' page are pages of the server, not of the wallet.
const isOurs = (request, { origin, pathname }) =>
  request.method === "GET" &&
  origin === location.origin &&
  !pathname.startsWith("/v1/") &&
  !/^\/operator(\/|$)/.test(pathname) &&
  !["/start.html", "/start.css", "/openapi.json"].includes(pathname);

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
self.addEventListener("message", (event) => event.data === "activate" && self.skipWaiting());
self.addEventListener("fetch", (event) => {
  if (isOurs(event.request, new URL(event.request.url))) event.respondWith(answer(event.request));
});
