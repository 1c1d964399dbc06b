"""What sessions did as OpenTelemetry has it: a trace for each turn, by the conventions for generative AI.

``traces``     pure: events of a session in, spans out, each when it has ended
``content``    what was said, in the shape of the conventions; only where that is asked for
``collector``  sends spans and metrics over OTLP/HTTP, with the libraries of OpenTelemetry (``claude-proxy[otlp]``)

The conventions are those of https://github.com/open-telemetry/semantic-conventions-genai as of autumn 2026: in
development, as all for generative AI are. What they have no name for begins with ``claude_proxy.``.
"""
