"use strict";

// The list of hubs as the service's management surface gives it: an Atom feed, in pages.

const MOST_IN_A_PAGE = 100;

/** `{skip, top}` of a request's query, as the service reads them. */
function pageOf(query) {
  const whole = (name, otherwise) => (/^\d+$/.test(query.get(name) ?? "") ? Number(query.get(name)) : otherwise);
  return { skip: whole("$skip", 0), top: Math.min(whole("$top", MOST_IN_A_PAGE), MOST_IN_A_PAGE) };
}

function feedOf(hubs, { skip, top }) {
  const entries = hubs
    .map((hub) => hub.name)
    .sort()
    .slice(skip, skip + top)
    .map((name) => `<entry><title type="text">${name}</title></entry>`); // hub names hold nothing to escape
  const title = '<title type="text">EventHubs</title>';
  return `<feed xmlns="http://www.w3.org/2005/Atom">${title}${entries.join("")}</feed>`;
}

module.exports = { feedOf, pageOf };
