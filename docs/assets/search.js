/* What is typed into the search becomes words that pages have: every word that is typed finds all that begin with it. So words
   of no meaning and single letters, which begin most words, are left out, and endings such as those of "served" and "fits". */
"use strict";
(() => {
  const EMPTY = new Set(("a an the and or but of to in on at by for from with as is are be been was were am do does did can could " +
    "may might must should would will i you we it my your this that these those how what when where which who why if there " +
    "not no so than then into one get use using me its").split(" "));
  const beginning = (word) => {
    for (const ending of ["ting", "ing", "ed", "es", "s"]) {
      if (word.endsWith(ending) && !word.endsWith("ss") && word.length - ending.length >= 4) {
        return word.slice(0, -ending.length);
      }
    }
    return word;
  };
  const meant = (typed) => {
    if (/["*~^:]/.test(typed)) return typed; // which is the language of the search itself
    const words = typed.toLowerCase().split(/[\s+,;()?!]+|(?<=\w)-(?=\w)/).filter(Boolean);
    const kept = words.filter((word) => word.length > 1 && !EMPTY.has(word));
    return kept.map(beginning).join(" ");
  };
  const QUERY = 2; // the type of the message that has what was typed
  const send = window.Worker.prototype.postMessage;
  window.Worker.prototype.postMessage = function (message, ...rest) {
    const isQuery = message && message.type === QUERY && typeof message.data === "string";
    return send.call(this, isQuery ? { ...message, data: meant(message.data) } : message, ...rest);
  };
})();
