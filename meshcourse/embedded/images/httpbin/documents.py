"""The fixed documents that httpbin serves; the shapes are go-httpbin's, the words our own."""

from __future__ import annotations

from aiohttp import web

from meshcourse.embedded.images.httpbin import answers

INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>httpbin</title>
<style>body{font:16px/1.6 system-ui,"DejaVu Sans",sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}
code{background:#eef1f6;padding:.1em .4em;border-radius:4px}</style></head>
<body><h1>httpbin</h1>
<p>Ask, and you are told what you asked. This one is meshcourse's stand-in for go-httpbin.</p>
<ul>
<li><code>/get</code> <code>/post</code> <code>/put</code> <code>/patch</code> <code>/delete</code>
<code>/anything</code>: your request</li>
<li><code>/headers</code> <code>/ip</code> <code>/user-agent</code> <code>/cookies</code>: one part of it</li>
<li><code>/status/503</code> <code>/status/200:9,503</code> <code>/unstable</code>: the answer you order</li>
<li><code>/delay/2</code> <code>/drip</code> <code>/stream/5</code> <code>/bytes/1024</code>: slowly, or in pieces</li>
<li><code>/basic-auth/user/password</code> <code>/bearer</code>: only with credentials</li>
<li><code>/redirect/2</code> <code>/response-headers?x-a=1</code> <code>/gzip</code> <code>/uuid</code>
<code>/json</code> <code>/html</code>: and the rest</li>
</ul></body></html>
"""
PAGE = """<!DOCTYPE html>
<html>
<head></head>
<body>
<h1>A page of plain HTML</h1>
<p>It has a heading and a paragraph, and it is here so that a proxy has something to carry.</p>
</body>
</html>
"""
SAMPLE = {
    "slideshow": {
        "author": "meshcourse",
        "date": "today",
        "slides": [
            {"title": "What a proxy sees", "type": "all"},
            {
                "items": ["The <em>request</em>", "The <em>response</em>"],
                "title": "Overview",
                "type": "all",
            },
        ],
        "title": "Sample Slide Show",
    }
}
XML = """<?xml version='1.0' encoding='us-ascii'?>
<slideshow title="Sample Slide Show" date="today" author="meshcourse">
  <slide type="all"><title>What a proxy sees</title></slide>
</slideshow>
"""


async def index(request: web.Request) -> web.Response:
    """``/``."""
    return answers.raw(INDEX, answers.HTML_TYPE)


async def page(request: web.Request) -> web.Response:
    """``/html``."""
    return answers.raw(PAGE, answers.HTML_TYPE)


async def sample(request: web.Request) -> web.Response:
    """``/json``."""
    return answers.as_json(SAMPLE)


async def xml(request: web.Request) -> web.Response:
    """``/xml``."""
    return answers.raw(XML, "application/xml")


async def robots(request: web.Request) -> web.Response:
    """``/robots.txt``."""
    return answers.raw("User-agent: *\nDisallow: /deny\n", answers.TEXT_TYPE)


async def deny(request: web.Request) -> web.Response:
    """``/deny``: what robots are told to leave alone."""
    return answers.raw("YOU SHOULDN'T BE HERE", answers.TEXT_TYPE)
