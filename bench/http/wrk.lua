-- Requests for the paths of a list ("SIZE PATH" lines), at random.
local requests = {}

function init(args)
	for line in io.lines(args[1]) do
		local path = line:match("%S+$")
		requests[#requests + 1] = wrk.format("GET", path)
	end
	math.randomseed(1)
end

function request()
	return requests[math.random(#requests)]
end
