// Lists of any length: only what is in view is in the page.
import { html, useCallback, useEffect, useLayoutEffect, useRedraw, useRef, useState } from "./ui.js";
import { Virtualizer, elementScroll, observeElementOffset, observeElementRect } from "./vendor/virtual/index.js";

/** Rows beyond which a browser's coordinates end: a list shows that many, from `base` on. */
export const MOST_ROWS = 200000;

/** Does something once a change of the list has been drawn. */
export const afterwards = (what) => requestAnimationFrame(() => requestAnimationFrame(what));

/**
 * A list. `row(index)` gives a row; `seen(first, last)` hears what is in view; `handle` is given {scrollTo, toEnd, inView}.
 * With `follow` it stays at its end while it is there; `followed(whether)` hears whether it is. With `fixed`, rows are
 * all `estimate` pixels high, else they are measured.
 */
export function List({ count, estimate, row, seen, handle, fixed = false, label, follow = false, followed, class: name = "" }) {
  const redraw = useRedraw();
  const scroller = useRef(null);
  const wasAtEnd = useRef(true);
  const [instance] = useState(() => new Virtualizer({ count: 0, estimateSize: () => estimate, getScrollElement: () => null, scrollToFn: elementScroll, observeElementRect, observeElementOffset }));
  instance.setOptions({
    count,
    overscan: 6,
    paddingEnd: fixed ? 0 : 14,
    estimateSize: () => estimate,
    getScrollElement: () => scroller.current,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: redraw,
  });
  useLayoutEffect(() => instance._didMount(), []);
  useLayoutEffect(() => instance._willUpdate());
  const items = instance.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items[items.length - 1]?.index ?? 0;
  useEffect(() => { seen?.(first, last); }, [first, last, count, seen]);
  const onScroll = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    wasAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
    followed?.(wasAtEnd.current);
  }, [followed]);
  useLayoutEffect(() => {
    if (follow && wasAtEnd.current && count) instance.scrollToIndex(count - 1, { align: "end" });
  }, [count, follow]);
  if (handle) {
    handle.current = {
      scrollTo: (index, align = "center") => {
        wasAtEnd.current = false;
        instance.scrollToIndex(index, { align });
      },
      toEnd: () => {
        wasAtEnd.current = true;
        instance.scrollToIndex(count - 1, { align: "end" });
      },
      inView: (index) => {
        const range = instance.range;
        return range && index > range.startIndex && index < range.endIndex;
      },
    };
  }
  return html`<div class=${`list ${name}`} ref=${scroller} onScroll=${onScroll} tabindex="0" role="group" aria-label=${label}>
    <div class="list-whole" style=${{ height: `${instance.getTotalSize()}px` }}>
      ${items.map((item) => html`<div
        key=${item.key} data-index=${item.index} ref=${fixed ? null : instance.measureElement} class="list-row"
        style=${{ transform: `translateY(${item.start}px)`, ...(fixed ? { height: `${estimate}px` } : {}) }}
      >${row(item.index)}</div>`)}
    </div>
  </div>`;
}
